"""What tests share: real agents in temporary directories, and waiting for conditions."""
