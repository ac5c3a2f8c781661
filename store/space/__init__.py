"""The blob space: a place outside of the network's machines that holds copies of logs and artifacts, for who wants one.

`contract` is what such a place must do, `directory` a folder that all reach, and store/mongo/space a MongoDB database;
`opening` goes from a URL to one of them. Contents are named by their digest, and whoever reads one checks it. Refuses
to know what the contents are, and when they are put and removed (agent/space).
"""
