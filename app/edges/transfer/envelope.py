"""The envelope: a compact JWE, `dir` + A256GCM under the agent's own key (contract, section 1).

1. What is not such a JWE is refused before a key is looked for: code 4.
2. `kid` names the agent: code 6 if there is none of that name.
3. One of the agent's keys must open it: code 3. Two are tried while one is being changed.
4. Whether the caller's network is allowed is checked after a key has opened it: code 101.

Answers that are kept for a repeat lie in the database as such envelopes too, each bound to what was
asked: the database alone tells no token, and no kept answer passes for another request's.
"""

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from joserfc import jwe
from joserfc.errors import DecodeError, JoseError
from joserfc.jwk import OctKey
from typing_extensions import override

from app.edges.http import BODY_BYTES_MAX
from app.edges.networks import Network, caller_address, is_within
from app.edges.transfer.codes import Code, RefusedError
from app.edges.wire import NotUnderstoodError, Number, read_members

ALGORITHM: Final = "dir"
ENCRYPTION: Final = "A256GCM"

HEADER_BYTES_MAX: Final = 1024
"""A header has three short members; joserfc's bound is the same."""

_COMPACT: Final = re.compile(
    rb"([A-Za-z0-9_-]{1,%d})\.\.([A-Za-z0-9_-]{16})\.([A-Za-z0-9_-]*)\.([A-Za-z0-9_-]{22})"
    % HEADER_BYTES_MAX
)
"""Header, no encrypted key, an initialization vector of 96 bits, the ciphertext, a tag of 128."""

_CONTENT: Final = "content"
"""The header's member that binds a kept answer: the SHA-256 of what was asked."""

KEPT_CHARACTERS_MAX: Final = 1 << 26
"""Of an answer that is kept: no bound in practice, since we sealed it ourselves."""


def _registry(ciphertext_characters_max: int) -> jwe.JWERegistry:
    """Return what allows our algorithms alone, up to a size; joserfc's own bound is 64 KiB."""
    registry = jwe.JWERegistry(
        algorithms=[ALGORITHM, ENCRYPTION],
        # A header that we do not know and that is not critical says nothing to us (RFC 7516, 4).
        strict_check_header=False,
    )
    registry.max_ciphertext_length = ciphertext_characters_max
    return registry


_ASKED: Final = _registry(BODY_BYTES_MAX)
_OURS: Final = _registry(KEPT_CHARACTERS_MAX)


@dataclass(frozen=True, slots=True)
class Agent:
    """An operator's platform: its keys (256 bits each), and where it may call from."""

    keys: tuple[bytes, ...]
    networks: tuple[Network, ...] = ()
    """none named: anywhere"""

    @override
    def __repr__(self) -> str:
        """Show no key."""
        return f"Agent({len(self.keys)} keys, networks={self.networks})"


class Opened(NamedTuple):
    """An envelope that one of its agent's keys opened."""

    agent: str
    key: OctKey
    """the key that opened it, which seals the answer"""
    plaintext: bytes


class Envelopes:
    """Opens what agents send, and seals what they are answered."""

    def __init__(self, agents: Mapping[str, Agent], *, proxies: Iterable[Network] = ()) -> None:
        """`proxies`: the networks of our own front, whose X-Forwarded-For is believed."""
        self._keys = {name: tuple(map(_oct_key, agent.keys)) for name, agent in agents.items()}
        self._networks = {name: agent.networks for name, agent in agents.items()}
        self._proxies = tuple(proxies)

    def open(self, body: bytes) -> Opened:
        """Open an envelope; RefusedError with code 4, 6 or 3."""
        agent = _agent_named(body)
        keys = self._keys.get(agent)
        if keys is None:
            raise RefusedError(Code.AGENT, "there is no agent of this name")
        for key in keys:
            plaintext = _opened(body, key)
            if plaintext is not None:
                return Opened(agent, key, plaintext)
        raise RefusedError(Code.KEY, "the envelope does not open with the agent's key")

    def open_kept(self, agent: str, sealed: str, content: bytes) -> bytes | None:
        """The answer that was kept of a request; None: none of the agent's keys opens it any more.

        Raises ValueError if it is the answer to another request than the one of this content.
        """
        for key in self._keys[agent]:
            try:
                opened = jwe.decrypt_compact(sealed, key, registry=_OURS)
            except DecodeError:
                continue
            if opened.protected.get(_CONTENT) != content.hex():
                raise ValueError("the kept answer belongs to another request")
            return opened.plaintext
        return None

    def check_caller(self, agent: str, peer: str | None, forwarded_for: bytes | None) -> None:
        """RefusedError with code 101 if the agent may not call from there."""
        networks = self._networks[agent]
        if networks and not is_within(caller_address(peer, forwarded_for, self._proxies), networks):
            raise RefusedError(Code.DENIED, "the agent may not call from this network")


def seal(plaintext: bytes, agent: str, key: OctKey) -> bytes:
    """Put an answer into an envelope under the key that opened the question's."""
    header = {"alg": ALGORITHM, "enc": ENCRYPTION, "kid": agent}
    return jwe.encrypt_compact(header, plaintext, key, registry=_OURS).encode()


def seal_kept(plaintext: bytes, agent: str, key: OctKey, content: bytes) -> str:
    """Put an answer into an envelope that says to which request it belongs."""
    header = {"alg": ALGORITHM, "enc": ENCRYPTION, "kid": agent, _CONTENT: content.hex()}
    return jwe.encrypt_compact(header, plaintext, key, registry=_OURS)


def _oct_key(key: bytes) -> OctKey:
    text = base64.urlsafe_b64encode(key).decode().rstrip("=")
    return OctKey.import_key({"kty": "oct", "k": text})


def _agent_named(body: bytes) -> str:
    """The agent that the header names; RefusedError for any other form than ours."""
    match = _COMPACT.fullmatch(body)
    if match is None:
        raise RefusedError(Code.FORMAT, "the body is not a compact JWE with dir and A256GCM")
    text = match[1]
    try:
        members = read_members(base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4)))
    except (ValueError, NotUnderstoodError):
        raise RefusedError(Code.FORMAT, "the JWE's header is not a JSON object") from None
    header = {name: member.value for name, member in members.items()}
    if (header.get("alg"), header.get("enc")) != (ALGORITHM, ENCRYPTION):
        raise RefusedError(Code.FORMAT, "the JWE's alg must be dir and its enc A256GCM")
    for name in ("zip", "crit"):
        if name in header:
            raise RefusedError(Code.FORMAT, f"the JWE's header must not have {name}")
    if "kid" not in header:
        raise RefusedError(Code.AGENT, "the JWE's header names no agent: kid")
    kid = header["kid"]
    if not isinstance(kid, str) or isinstance(kid, Number):
        raise RefusedError(Code.FORMAT, "the JWE's kid must be a text")
    return kid


def _opened(body: bytes, key: OctKey) -> bytes | None:
    """The plaintext, or None: another key's."""
    try:
        return jwe.decrypt_compact(body, key, registry=_ASKED).plaintext
    except DecodeError:
        return None
    except (JoseError, ValueError, TypeError):
        # A ciphertext that is no base64url, a registered header of another type.
        raise RefusedError(Code.FORMAT, "the body is not a compact JWE") from None
