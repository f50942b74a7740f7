"""What ends a request before the ledger is asked.

    CallbackError
    ├── StrangerError      the caller's network is not one of ours
    ├── EncodingError      before the signature: the fields cannot be read
    ├── SignatureError     a stranger, or a key we no longer know
    └── FormatError        after the signature: a field is missing or not in its format

None of them quotes a value: values may be tokens.
"""


class CallbackError(Exception):
    """The request is refused."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class UntrustedCallerError(CallbackError):
    """The caller's network is not trusted."""


class EncodingError(CallbackError):
    """The request cannot be read."""


class SignatureError(CallbackError):
    """The signature does not fit any of our keys."""


class FormatError(CallbackError):
    """A field is missing or not in its format."""
