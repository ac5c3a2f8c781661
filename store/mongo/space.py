"""A blob space in a MongoDB database, by GridFS: files in chunks, in collections of their own beside those of a store.

A file belongs to a name by its `filename`, not by its `_id`: two agents may put the same at the same time, as when one
takes over from another, and with one `_id` for both the one that gives up would take the other's chunks with it. Two
equal files do no harm; both are removed together. What a crash left half put is known by its mark in `blobs.uploads`
and removed later. Writes wait for the disks of a majority.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from bson import ObjectId
from gridfs import GridFSBucket, NoFile
from pymongo.write_concern import WriteConcern

from ...core.errors import NotFound
from ..space.contract import PART, Kept, split
from .deployment import Deployment

BUCKET = "blobs"
"""Beginning of the collections' names."""

NEW_KEPT = timedelta(days=1)
"""Time after which what was begun to be put, and never was, is removed."""

_UPLOADS = f"{BUCKET}.uploads"
_BEHIND = "0"  # what comes after "/" in the order of texts


class MongoSpace:
    """GridFS behind the contract."""

    def __init__(self, url: str, network: str) -> None:
        """Connect. Raises StorageError or InvalidInput with the remedy."""
        self._to = Deployment(url, "blob space")
        self.url = self._to.url
        self._network = network
        concern = WriteConcern(w="majority" if self._to.replicated else 1, j=True)
        self._bucket = GridFSBucket(self._to.database, BUCKET, chunk_size_bytes=PART, write_concern=concern)
        self._files = self._to.collection(f"{BUCKET}.files")
        self._uploads = self._to.collection(_UPLOADS, lasting=False)
        try:
            with self._to.translated("open"):
                self._files.create_index([("filename", 1), ("uploadDate", 1)])
                self._sweep()
        except BaseException:
            self._to.client.close()
            raise

    def lacking(self, names: Sequence[str]) -> list[str]:
        """See BlobSpace."""
        wanted = {self._filename(one): one for one in names}
        with self._to.translated("read"):
            found = self._files.find({"filename": {"$in": list(wanted)}}, {"_id": 0, "filename": 1})
            there = {str(one["filename"]) for one in found}
        return [one for filename, one in wanted.items() if filename not in there]

    def put(self, name: str, parts: Iterable[bytes]) -> None:
        """See BlobSpace."""
        identity, filename = ObjectId(), self._filename(name)
        if not self.lacking([name]):
            return
        with self._to.translated("write to"):
            self._uploads.insert_one({"_id": identity, "at": datetime.now(UTC)})
            file = self._bucket.open_upload_stream_with_id(identity, filename)
        try:
            for part in parts:  # what these raise is no error of this space
                with self._to.translated("write to"):
                    file.write(part)
            with self._to.translated("write to"):
                file.close()
                self._uploads.delete_one({"_id": identity})
        finally:
            if not file.closed:
                with self._to.translated("write to"):
                    file.abort()
                    self._uploads.delete_one({"_id": identity})

    def get(self, name: str) -> Iterator[bytes]:
        """See BlobSpace."""
        with self._to.translated("read"):
            try:
                file = self._bucket.open_download_stream_by_name(self._filename(name))
            except NoFile:
                raise NotFound(f"{name[:20]} is not in {self.url}") from None
        while True:
            with self._to.translated("read"):
                part = file.read(PART)
            if not part:
                return
            yield part

    def remove(self, names: Sequence[str]) -> None:
        """See BlobSpace."""
        with self._to.translated("remove from"):
            wanted = {"filename": {"$in": [self._filename(one) for one in names]}}
            for one in list(self._files.find(wanted, {"_id": 1})):
                self._forget(one["_id"])

    def names(self) -> Iterator[Kept]:
        """See BlobSpace."""
        mine = {"filename": {"$gte": f"{self._network}/", "$lt": f"{self._network}{_BEHIND}"}}
        with self._to.translated("read"):
            for one in self._files.find(mine, {"_id": 0, "filename": 1, "length": 1, "uploadDate": 1}).sort("filename"):
                at: datetime = one["uploadDate"]
                yield Kept(one["filename"].removeprefix(f"{self._network}/"), one["length"], int(at.timestamp() * 1000))

    def close(self) -> None:
        """See BlobSpace."""
        self._to.client.close()

    def _filename(self, name: str) -> str:
        split(name)
        return f"{self._network}/{name}"

    def _forget(self, identity: Any) -> None:  # noqa: ANN401 - whatever a driver made
        """Remove a file, or what there is of one."""
        try:
            self._bucket.delete(identity)
        except NoFile:  # it has chunks only, which are gone now, or another agent was quicker
            return

    def _sweep(self) -> None:
        """Remove what was begun to be put and never was."""
        for one in list(self._uploads.find({"at": {"$lt": datetime.now(UTC) - NEW_KEPT}}, {"_id": 1})):
            if self._files.find_one({"_id": one["_id"]}, {"_id": 1}) is None:
                self._forget(one["_id"])
            self._uploads.delete_one({"_id": one["_id"]})
