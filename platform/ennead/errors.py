"""The error tree. Every error has a stable code and a page in ``docs/reference/errors.md``.

::

    EnneadError
    ├── GeometryError          a grid cannot be trusted                        (ValueError)
    │   ├── GeometryMissing        ENN-0101
    │   ├── GeometryNonuniform     ENN-0102
    │   └── GridMismatch           ENN-0103
    ├── InputError             what a peer or user sent breaks a rule          (ValueError)
    │   ├── MalformedObject        ENN-0201   cannot be parsed (C-STORE C000H)
    │   ├── UnusableObject         ENN-0202   parsed, unusable for its SOP class (A900H)
    │   ├── LimitExceeded          ENN-0203   a limit of the settings
    │   ├── InvalidUID             ENN-0204
    │   ├── PasswordRefused        ENN-0205   a new password breaks the rules
    │   ├── Undecodable            ENN-0206   pixel data cannot be decoded (HTTP 406)
    │   ├── CodestreamMismatch     ENN-0207   code stream and header disagree (406)
    │   ├── NotAcceptable          ENN-0208   no such representation (406)
    │   ├── UnsupportedMedia       ENN-0209   body of a type we do not read (415)
    │   ├── RuleInvalid            ENN-0210   a site rule breaks its schema or a bound
    │   └── CallRefused            ENN-0211   inputs of a function break its rules (HTTP 422)
    ├── ContractError          a manifest or an output breaks its contract     (TypeError)
    │   ├── ManifestInvalid        ENN-0301
    │   ├── UndeclaredOutput       ENN-0302
    │   ├── NonReproducibleResult  ENN-0303
    │   ├── OverlappingSegments    ENN-0304
    │   ├── EmptyMask              ENN-0305
    │   └── EncodedResultInvalid   ENN-0306
    ├── ArchiveError           storage or index failed                         (OSError)
    │   ├── NotFound               ENN-0401                                    (KeyError)
    │   ├── Conflict               ENN-0402   same UID, other content
    │   ├── OutOfResources         ENN-0403   disk full, read-only
    │   └── IntegrityLost          ENN-0404   stored bytes do not match their hash
    ├── AccessError            who may do what                                 (PermissionError)
    │   ├── NotAuthenticated       ENN-0501
    │   ├── NotPermitted           ENN-0502
    │   ├── AuditUnavailable       ENN-0503
    │   └── TooManyAttempts        ENN-0504   wrong passwords; wait (HTTP 429)
    ├── ModelError             a network cannot be trusted or run              (RuntimeError)
    │   ├── ModelManifestInvalid   ENN-0801                                    (TypeError)
    │   ├── WeightsMissing         ENN-0802   not fetched yet
    │   ├── WeightsDigestMismatch  ENN-0803   other bytes than those pinned
    │   ├── WeightsUnsafe          ENN-0804   would run code when loaded
    │   ├── WeightsFetchFailed     ENN-0805
    │   ├── RunnerUnavailable      ENN-0806   its library is not installed
    │   ├── TensorMismatch         ENN-0807   shape, channels or classes       (ValueError)
    │   ├── ReferenceCaseFailed    ENN-0808   does not reproduce here
    │   ├── LicenceNotAccepted     ENN-0809
    │   ├── TransitionRefused      ENN-0810   not from this state, or no reason
    │   ├── PredictionCancelled    ENN-0811
    │   ├── OutputNotFinite        ENN-0812   the network gave NaN
    │   ├── DeviceMemoryExhausted  ENN-0813   smaller tiles and the CPU did not help (MemoryError)
    │   └── DeviceBusy             ENN-0814   waited too long for a device     (TimeoutError)
    ├── ConfigurationError         ENN-0601                                    (ValueError)
    └── ServiceError               ENN-0701   a part of the system is not there (RuntimeError)
        └── NoAnswerInTime         ENN-0702   a call was not answered in time (HTTP 504)

A *refusal* (a package declines a series, with a reason people read) is not an error: it is
:class:`ennead.findings.Refusal`, a value on the normal path.

Messages state the rule, the value and what to do. They never contain a patient's name, birth
date or accession number: use UIDs and job identifiers.
"""

from __future__ import annotations

from typing import ClassVar


class EnneadError(Exception):
    """Base of every error raised on purpose.

    Parameters
    ----------
    message : str
        The rule, the offending value, and what to do about it.
    details : object
        Named values kept for structured logs and problem+json answers.
    """

    code: ClassVar[str] = "ENN-0000"

    def __init__(self, message: str, **details: object) -> None:
        super().__init__(message)
        self.message = message
        self.details = details

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class GeometryError(EnneadError, ValueError):
    """A grid cannot be trusted."""

    code = "ENN-0100"


class GeometryMissing(GeometryError):
    """Position, orientation, spacing or frame of reference is absent."""

    code = "ENN-0101"


class GeometryNonuniform(GeometryError):
    """Slices are not one regular stack: gaps, duplicates, tilt or mixed orientation."""

    code = "ENN-0102"


class GridMismatch(GeometryError):
    """Two arrays that must share one grid do not."""

    code = "ENN-0103"


class InputError(EnneadError, ValueError):
    """What a peer or a user sent breaks a rule."""

    code = "ENN-0200"


class MalformedObject(InputError):
    """The object cannot be parsed (C-STORE status C000H)."""

    code = "ENN-0201"


class UnusableObject(InputError):
    """The object parses but cannot serve its SOP class (C-STORE status A900H)."""

    code = "ENN-0202"


class LimitExceeded(InputError):
    """A configured limit was passed."""

    code = "ENN-0203"


class InvalidUID(InputError):
    """A UID does not match ``^[0-9.]{1,64}$`` (PS3.5 §9.1)."""

    code = "ENN-0204"


class PasswordRefused(InputError):
    """A new password or user name breaks the rules of the settings."""

    code = "ENN-0205"


class Undecodable(InputError):
    """Stored pixel data cannot be decoded; the original bytes stay retrievable (HTTP 406)."""

    code = "ENN-0206"


class CodestreamMismatch(Undecodable):
    """A JPEG, JPEG 2000 or RLE header disagrees with Rows and Columns; no decoder was called."""

    code = "ENN-0207"


class NotAcceptable(InputError):
    """The resource has no representation that the request accepts (HTTP 406)."""

    code = "ENN-0208"


class UnsupportedMedia(InputError):
    """The request's body has a media type or an encoding that is not read (HTTP 415)."""

    code = "ENN-0209"


class RuleInvalid(InputError):
    """A rule of the site breaks its schema, names what is not here, or leaves a bound."""

    code = "ENN-0210"


class CallRefused(InputError):
    """The inputs of an interactive function break its rules; nothing was computed."""

    code = "ENN-0211"


class ContractError(EnneadError, TypeError):
    """A manifest or an output breaks its contract."""

    code = "ENN-0300"


class ManifestInvalid(ContractError):
    """A ``package.toml`` cannot be read or breaks a rule."""

    code = "ENN-0301"


class UndeclaredOutput(ContractError):
    """A package returned something its manifest does not declare."""

    code = "ENN-0302"


class NonReproducibleResult(ContractError):
    """The same identity gave other clinical content; nothing is overwritten."""

    code = "ENN-0303"


class OverlappingSegments(ContractError):
    """A label map was asked for, but two segments share a voxel."""

    code = "ENN-0304"


class EmptyMask(ContractError):
    """A measurement or a segment needs voxels and got none."""

    code = "ENN-0305"


class EncodedResultInvalid(ContractError):
    """A written object did not survive being read back; it is not stored."""

    code = "ENN-0306"


class ArchiveError(EnneadError, OSError):
    """Storage or index failed."""

    code = "ENN-0400"


class NotFound(ArchiveError, KeyError):
    """No such study, series, instance, finding or job."""

    code = "ENN-0401"


class Conflict(ArchiveError):
    """The SOP Instance UID is stored with other content; the first object is kept."""

    code = "ENN-0402"


class OutOfResources(ArchiveError):
    """The disk is full, failing or read-only (C-STORE status A700H)."""

    code = "ENN-0403"


class IntegrityLost(ArchiveError):
    """Stored bytes do not match their recorded hash; they are not served."""

    code = "ENN-0404"


class AccessError(EnneadError, PermissionError):
    """Who may do what."""

    code = "ENN-0500"


class NotAuthenticated(AccessError):
    """No valid session or token came with the request."""

    code = "ENN-0501"


class NotPermitted(AccessError):
    """The principal's role does not include the permission."""

    code = "ENN-0502"


class AuditUnavailable(AccessError):
    """The audit trail cannot be written, so a change is refused."""

    code = "ENN-0503"


class TooManyAttempts(AccessError):
    """Too many wrong passwords from this address or for this user; wait."""

    code = "ENN-0504"


class ModelError(EnneadError, RuntimeError):
    """A network cannot be trusted or run."""

    code = "ENN-0800"


class ModelManifestInvalid(ModelError, TypeError):
    """A ``model.toml`` cannot be read or breaks a rule."""

    code = "ENN-0801"


class WeightsMissing(ModelError):
    """The weights of a model are not in the store; ``ennead models fetch`` brings them."""

    code = "ENN-0802"


class WeightsDigestMismatch(ModelError):
    """A weights file is not the one that the model pins by SHA-256; it is not used."""

    code = "ENN-0803"


class WeightsUnsafe(ModelError):
    """A model's files would run code when loaded; only what was accepted by name may."""

    code = "ENN-0804"


class WeightsFetchFailed(ModelError):
    """Weights could not be fetched; what has come so far is kept for the next attempt."""

    code = "ENN-0805"


class RunnerUnavailable(ModelError):
    """The library that runs this kind of model is not installed."""

    code = "ENN-0806"


class TensorMismatch(ModelError, ValueError):
    """A network's input or output is not what its manifest says: shape, channels or classes."""

    code = "ENN-0807"


class ReferenceCaseFailed(ModelError):
    """A model does not reproduce its reference case on this machine; it is not installed."""

    code = "ENN-0808"


class LicenceNotAccepted(ModelError):
    """A model's licence was not accepted by a named person; it is not installed."""

    code = "ENN-0809"


class TransitionRefused(ModelError):
    """A model may not go from its state to the one asked for, or the reason is missing."""

    code = "ENN-0810"


class PredictionCancelled(ModelError):
    """A prediction was cancelled between two tiles; nothing is lost but its time."""

    code = "ENN-0811"


class OutputNotFinite(ModelError):
    """A network gave values that are no numbers, so no label can be trusted."""

    code = "ENN-0812"


class DeviceMemoryExhausted(ModelError, MemoryError):
    """A run needs more memory than the device, or its lease, has."""

    code = "ENN-0813"


class DeviceBusy(ModelError, TimeoutError):
    """No device had room for a run within its time."""

    code = "ENN-0814"


class ConfigurationError(EnneadError, ValueError):
    """A setting is wrong; the message names it and the rule."""

    code = "ENN-0601"


class ServiceError(EnneadError, RuntimeError):
    """A part of the system is not there."""

    code = "ENN-0701"


class NoAnswerInTime(ServiceError):
    """A call was not answered while somebody waited for it."""

    code = "ENN-0702"
