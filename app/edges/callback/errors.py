"""The errors that end a request before the ledger is used.

    CallbackError
    ├── UntrustedCallerError  the caller's network is not trusted
    ├── EncodingError         before the signature: the fields cannot be read
    ├── SignatureError        the signature is not valid under any of our keys
    └── FormatError           after the signature: a field is missing or not in its format

No message quotes a value, since values may be tokens.
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
