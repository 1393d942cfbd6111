"""One object on its way in."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
from typing import Any, Final

from ennead.contracts import StoreOutcome
from ennead.errors import (
    EnneadError,
    InvalidUID,
    LimitExceeded,
    MalformedObject,
    OutOfResources,
    UnusableObject,
)
from ennead.identifiers import InstanceUID, StudyUID
from ennead.security import Principal
from ennead_pacs.index.committer import Arrival
from ennead_pacs.storage.header import SOP_INSTANCE, WANTED, Header, read_header
from ennead_pacs.storage.part10 import file_head, read_meta
from ennead_pacs.storage.pixels import check_pixels
from ennead_pacs.storage.scan import DatasetScanner
from ennead_pacs.storage.slots import Slot
from ennead_pacs.storage.transfer_syntaxes import TransferSyntax, transfer_syntax
from ennead_pacs.storage.writeback import start_writeback

_UID: Final = re.compile(r"[0-9.]{1,64}")
_HELD: Final = 64 * 1024
_WRITEBACK: Final = 192 * 1024
_RLE: Final = "1.2.840.10008.1.2.5"


class Writer:
    """Scans, hashes and writes what passes; see :mod:`ennead_pacs.ingest` for the interface."""

    def __init__(
        self, store: Any, source: str, transfer_syntax_uid: str | None, principal: Principal
    ) -> None:
        self._store = store
        self._source = source
        self._principal = principal
        self._depth_limit: int = store.settings.dicom.sequence_depth_limit
        self._size_limit: int = store.settings.dicom.object_limit_bytes
        self._hash = hashlib.sha256()
        self._meta: bytearray | None = None
        self._syntax: TransferSyntax | None = None
        self._scanner: DatasetScanner | None = None
        self._slot: Slot | None = None
        self._held: list[bytes] = []  # until the SOP Instance UID is known
        self._offset = 0  # of the dataset in the file
        self._size = 0  # of the dataset so far
        self._announced = 0  # of it, whose writing to the disk was started
        self._ended = False
        if transfer_syntax_uid is None:
            self._meta = bytearray()
        else:
            self._start(transfer_syntax_uid)

    def _start(self, uid: str) -> None:
        self._syntax = transfer_syntax(uid)
        self._scanner = DatasetScanner(self._syntax, WANTED, self._depth_limit)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes; on any error the writer is aborted already."""
        try:
            view = memoryview(data)
            if self._meta is not None:
                if self._meta:
                    view = memoryview(bytes(self._meta) + bytes(view))
                found = read_meta(view)
                if found is None:
                    self._meta = bytearray(view)
                    return
                self._meta = None
                view = view[found[1] :]
                self._start(found[0])
            self._take(view)
        except EnneadError as error:
            self._refuse(error)
            raise
        except OSError as error:
            self.abort()
            raise out_of_resources(error) from error
        except BaseException:
            self.abort()
            raise

    def _take(self, data: memoryview) -> None:
        if self._scanner is None or self._ended:
            raise RuntimeError("the writer has ended; begin a new one")
        self._size += len(data)
        if self._size > self._size_limit:
            raise LimitExceeded(
                f"The object is larger than {self._size_limit} bytes (dicom.object_limit_bytes)."
            )
        try:
            self._scanner.feed(data)
        except MalformedObject:
            if self._slot is None:
                self._held.append(bytes(data))  # for the quarantine
            raise
        if self._slot is not None:
            self._append([data])
        elif self._scanner.passed >= SOP_INSTANCE or self._size > _HELD:
            self._open(data)
        else:
            self._held.append(bytes(data))
        self._hash.update(data)  # last, so that the disk works meanwhile

    def _open(self, *data: memoryview) -> None:
        """Make the file: the head needs the UIDs, which come early in every dataset."""
        values = self._scanner.values if self._scanner else {}
        sop_class = values.get(0x00080016, b"").strip(b" \0").decode("ascii", "replace")
        instance = values.get(SOP_INSTANCE, b"").strip(b" \0").decode("ascii", "replace")
        if not sop_class or not instance:
            raise UnusableObject(
                "SOPClassUID or SOPInstanceUID is missing; an object cannot be kept without them."
            )
        if not (_UID.fullmatch(sop_class) and _UID.fullmatch(instance)):
            raise InvalidUID(
                "SOPClassUID and SOPInstanceUID must be 1 to 64 characters of digits and dots "
                f"(PS3.5 §9.1); got {sop_class[:80]!r} and {instance[:80]!r}. Correct the sender."
            )
        head = file_head(sop_class, instance, self._syntax.uid if self._syntax else "")
        self._slot = self._store.slots.take()
        self._offset = len(head)
        held, self._held = self._held, []
        self._append([head, *held, *data])

    def _append(self, chunks: list[Any]) -> None:
        slot = self._slot
        if slot is None:
            raise RuntimeError("no slot is open")
        total = sum(len(chunk) for chunk in chunks)
        written = os.writev(slot.fd, chunks) if len(chunks) > 1 else os.write(slot.fd, chunks[0])
        if written < total:
            rest = memoryview(b"".join(chunks))[written:]
            while rest:
                rest = rest[os.write(slot.fd, rest) :]
        if self._size - self._announced >= _WRITEBACK:
            start_writeback(slot.fd)
            self._announced = self._size

    def commit(self, *, sop_class_uid: str = "", instance_uid: str = "") -> StoreOutcome:
        """Durable when it returns."""
        header: Header | None = None
        try:
            header = self._check(sop_class_uid, instance_uid)
            slot = self._slot
            if slot is None:
                raise RuntimeError("no slot is open")
            os.fdatasync(slot.fd)
            arrival = Arrival(header, self._row(header, slot))
            self._store.committer.commit(arrival)
        except EnneadError as error:
            self._refuse(error, header)
            raise
        except OSError as error:
            self.abort()
            raise out_of_resources(error) from error
        except BaseException:
            self.abort()
            raise
        return self._settle(arrival, slot)

    def _check(self, sop_class_uid: str, instance_uid: str) -> Header:
        if self._scanner is None or self._syntax is None:
            raise MalformedObject("The bytes end before the dataset begins; send the whole file.")
        self._scanner.finish()
        header = read_header(self._scanner, big_endian=self._syntax.big_endian)
        for expected, found, name in (
            (sop_class_uid, header.sop_class_uid, "SOPClassUID"),
            (instance_uid, header.instance_uid, "SOPInstanceUID"),
        ):
            if expected and expected != found:
                raise UnusableObject(
                    f"The request names {name} {expected[:64]}, but the dataset holds {found}."
                )
        check_pixels(self._scanner, header, is_rle=self._syntax.uid == _RLE)
        if self._slot is None:
            self._open()
        return header

    def _row(self, header: Header, slot: Slot) -> dict[str, Any]:
        return {
            "instance_uid": header.instance_uid,
            "sop_class_uid": header.sop_class_uid,
            "transfer_syntax_uid": self._syntax.uid if self._syntax else "",
            "number": header.number,
            "frames": header.frames,
            "rows": header.rows,
            "columns": header.columns,
            "bits_allocated": header.bits_allocated,
            "size_bytes": self._offset + self._size,
            "dataset_offset": self._offset,
            "sha256": self._hash.hexdigest(),
            "location": slot.location,
            "source": self._source[:200],
        }

    def _settle(self, arrival: Arrival, slot: Slot) -> StoreOutcome:
        if arrival.in_doubt:
            self._ended, self._slot = True, None
            self._store.slots.leave(slot)
        if isinstance(arrival.error, EnneadError):
            self._refuse(arrival.error, arrival.header)
            raise arrival.error
        if arrival.stored and arrival.row["location"] == slot.location:
            self._ended, self._slot = True, None
            self._store.slots.used(slot)
        else:
            self.abort()
        return StoreOutcome(
            instance_uid=InstanceUID(arrival.header.instance_uid),
            study_uid=StudyUID(arrival.header.study_uid),
            stored=arrival.stored,
            sha256=arrival.row["sha256"],
        )

    def _refuse(self, error: EnneadError, header: Header | None = None) -> None:
        """Quarantine what arrived where that helps anyone, and audit."""
        held, self._held = self._held, []
        if self._slot is None and held and not self._ended and not isinstance(error, OSError):
            with contextlib.suppress(OSError):
                self._slot = self._store.slots.take()
                self._append([file_head("", "", self._syntax.uid if self._syntax else ""), *held])
        slot, self._slot = self._slot, None
        self._ended = True
        self._store.refused(error, slot, self._size, self._source, self._principal, header)

    def abort(self) -> None:
        """Forget the object; harmless after the end."""
        slot, self._slot = self._slot, None
        self._ended = True
        self._held = []
        if slot is not None:
            self._store.slots.give_back(slot)


def out_of_resources(error: OSError) -> OutOfResources:
    """A full, failing or read-only disk, as the peer is told (A700H)."""
    name = errno.errorcode.get(error.errno or 0, "OSError")
    return OutOfResources(
        f"The object could not be written ({name}); nothing was acknowledged. "
        "Free space on the storage or repair it, then send the object again."
    )
