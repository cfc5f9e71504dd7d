"""OAuth2 tokens for mail servers: fetched, renewed in time, and on disk before anybody sees them. The only file that
knows authlib and requests, which come with the extra `oauth`.

What comes in: a Provider, a folder, the time. What goes out: AccessTokens. Many threads may ask one Tokens, and other
processes may use the same folder: only one at a time asks the token server. A provider may give a refresh token that
is good once (rotation), so an answer is written, synced and renamed into place before it is used.

Errors: UnreachableError is weather. TokenRefusedError means that a person has to act, and says how. No token, code or
secret is ever part of an error, of a repr or of the log, even if the token server repeats it to us.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from daemon.backoff import Backoff
from daemon.bearer import AccessToken, access_token
from daemon.errors import TicketdError, TokenRefusedError, UnreachableError
from daemon.spool import sync_folder

Flow = Literal["client_credentials", "refresh_token"]

REDIRECT = "http://127.0.0.1:8400/"
"""Where the browser is sent after consent. Nobody listens there: the person copies the address of that page."""

_TIMEOUT = (10.0, 30.0)
_USUAL_LIFE = 3600
_LONGEST_LIFE = 30 * 86400
_LONGEST_TEXT = 300
_DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_PATIENCE_MORE = 5.0
"""Seconds that "slow_down" adds to the pause between two questions (RFC 8628)."""

_WEATHER = frozenset({"temporarily_unavailable", "server_error", "slow_down"})
_NO_EXTRA = "tokens need the extra 'oauth': pip install 'ticketd[oauth]'"
_CURES: Mapping[str, str] = {
    "invalid_grant": "the consent has ended or was withdrawn; give it again: ticketd oauth login {name}",
    "invalid_client": "client_id or client secret is wrong, or the secret has expired; make a new one at the provider "
    "and write it where [oauth.{name}] says",
    "unauthorized_client": "the provider does not allow this application to do that; look at its permissions there",
    "invalid_scope": "the provider does not know this scope; mend scope in [oauth.{name}]",
}
_USUAL_CURE = "look at [oauth.{name}] and at the application's settings at the provider"
_LOGIN_FIRST = "there is no token yet; an administrator has to give consent once: ticketd oauth login {name}"
_OTHERS = "the token kept here is of another client or server than [oauth.{name}] says; do: ticketd oauth login {name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One [oauth.NAME] of the configuration, with everything filled in; `secret` fetches the client's secret."""

    name: str
    flow: Flow
    client_id: str
    secret: Callable[[], str]
    scope: str
    token_url: str
    device_url: str = ""
    authorization_url: str = ""
    client_auth: Literal["post", "basic"] = "post"
    ca_file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What lies on disk: whose tokens they are, and since when and until when they are good."""

    client_id: str
    token_url: str
    scope: str
    renewed_at: datetime
    expires_at: datetime
    access_token: str = field(repr=False)
    refresh_token: str = field(default="", repr=False)

    def usable(self) -> AccessToken:
        """Return the access token with the time by which it is to be renewed."""
        return access_token(self.access_token, self.renewed_at, self.expires_at)


class Tokens:
    """The tokens of one provider, for as many threads as like."""

    def __init__(
        self,
        provider: Provider,
        folder: Path,
        now: Callable[[], datetime],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Remember what is needed; nothing is read or asked yet."""
        self.provider = provider
        self.trouble = ""
        self._shelf, self._now, self._clock = Shelf(folder, provider.name), now, clock
        self._lock = threading.Lock()
        self._held: Kept | None = None
        self._unsaved: Kept | None = None
        self._bad = ""
        self._backoff = Backoff(random.random)
        self._failure: TicketdError | None = None
        self._failed_with: Kept | None = None
        self._not_before = 0.0

    def fresh(self) -> AccessToken:
        """Return a token that is good for a while yet, renewed if need be, and on disk before it is returned.

        Raises UnreachableError or TokenRefusedError; then the token server is left alone for a while, unless
        somebody has logged in meanwhile.
        """
        with self._lock:
            if not self._good(self._held):
                with self._shelf.locked():
                    self._held = self._renewed()
            assert self._held is not None
            return self._held.usable()

    def refused(self, token: AccessToken) -> None:
        """Never return this token again: a server did not take it."""
        with self._lock:
            self._bad = token.value

    def seconds_left(self, token: AccessToken) -> float:
        """Return for how long this token should still be used."""
        return token.seconds_left(self._now())

    def _good(self, kept: Kept | None) -> bool:
        provider = self.provider
        return (
            kept is not None
            and self._is_ours(kept)
            and kept.scope == provider.scope
            and kept.access_token not in ("", self._bad)
            and kept.usable().seconds_left(self._now()) > 0
        )

    def _is_ours(self, kept: Kept) -> bool:
        """Whether it was given by this server to this client: no other server may ever see it."""
        return (kept.client_id, kept.token_url) == (self.provider.client_id, self.provider.token_url)

    def _renewed(self) -> Kept:
        """Return what somebody else renewed meanwhile, or ask; what could not be written last time comes first."""
        if self._unsaved is not None:
            return self._saved(self._unsaved)
        kept = self._shelf.read()
        if kept is not None and self._good(kept):
            return kept
        if self._failure and kept == self._failed_with and self._clock() < self._not_before:
            raise self._failure.with_traceback(None)
        try:
            answer = self._asked(kept)
        except (UnreachableError, TokenRefusedError) as e:
            self._note(e, kept)
            raise
        return self._saved(answer)

    def _saved(self, answer: Kept) -> Kept:
        self._unsaved = answer
        try:
            self._shelf.write(answer)
        except OSError as e:
            raise UnreachableError(f"the new token of {self.provider.name} cannot be kept: {e.strerror}") from None
        self._unsaved = self._failure = None
        self.trouble = ""
        self._backoff.succeeded()
        return answer

    def _note(self, error: TicketdError, kept: Kept | None) -> None:
        refused = isinstance(error, TokenRefusedError)
        self.trouble = str(error) if refused else ""
        self._failure, self._failed_with = error, kept
        self._not_before = self._clock() + self._backoff.failed("login" if refused else "transport")

    def _asked(self, kept: Kept | None) -> Kept:
        provider = self.provider
        if provider.flow == "client_credentials":
            return kept_of(provider, _by_ourselves(provider), self._now())
        if kept is None or not kept.refresh_token:
            raise TokenRefusedError(_LOGIN_FIRST.format(name=provider.name))
        if not self._is_ours(kept):
            raise TokenRefusedError(_OTHERS.format(name=provider.name))
        answer = _ask(provider, [kept.refresh_token, kept.access_token], lambda session: session.refresh_token(
            provider.token_url, refresh_token=kept.refresh_token, **_manners(provider)))  # fmt: skip
        fresh = kept_of(provider, answer, self._now())
        return replace(fresh, refresh_token=fresh.refresh_token or kept.refresh_token)


def kept_of(provider: Provider, answer: Mapping[str, Any], now: datetime) -> Kept:
    """Return a token server's answer as it is kept. Raises UnreachableError where it is none."""
    value, refresh, life = answer.get("access_token"), answer.get("refresh_token"), answer.get("expires_in")
    if not isinstance(value, str) or not re.fullmatch(r"[\x21-\x7e]+", value):
        raise UnreachableError(f"{_host(provider)}: the answer of the token server has no token in it")
    seconds = int(str(life)) if str(life).isdecimal() else _USUAL_LIFE
    return Kept(
        client_id=provider.client_id,
        token_url=provider.token_url,
        scope=provider.scope,
        renewed_at=now,
        expires_at=now + timedelta(seconds=min(seconds, _LONGEST_LIFE)),
        access_token=value,
        refresh_token=refresh if isinstance(refresh, str) else "",
    )


# --- on disk ---


class Shelf:
    """The file of one provider's tokens: whole or not there, readable by us alone."""

    def __init__(self, folder: Path, name: str) -> None:
        """Remember the place; the folder is made when something is written."""
        self._folder = folder
        self._file, self._passing, self._gate = (folder / f"{name}.{end}" for end in ("json", "new", "lock"))

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out, as `ticketd oauth login` beside the daemon; the lock dies with its process."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            gate = os.open(self._gate, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as e:
            raise UnreachableError(f"{self._folder}: {e.strerror}") from None
        try:
            fcntl.flock(gate, fcntl.LOCK_EX)
            yield
        finally:
            os.close(gate)

    def read(self) -> Kept | None:
        """Return what is kept, None where nothing is or where it cannot be understood."""
        try:
            said = json.loads(self._file.read_text("utf-8"))
            times = {key: datetime.fromisoformat(said[key]).astimezone(UTC) for key in ("renewed_at", "expires_at")}
            return Kept(**{**said, **times})
        except FileNotFoundError:
            return None
        except OSError as e:
            raise UnreachableError(f"{self._file}: {e.strerror}") from None
        except (ValueError, TypeError, KeyError, AttributeError):  # edited by hand: as good as none
            return None

    def write(self, kept: Kept) -> None:
        """Put this in the place of what was kept. Once it returns, no power cut takes it away. Raises OSError."""
        data = asdict(kept) | {"renewed_at": kept.renewed_at.isoformat(), "expires_at": kept.expires_at.isoformat()}
        self._passing.unlink(missing_ok=True)
        with os.fdopen(os.open(self._passing, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(data, file)
            file.flush()
            os.fsync(file.fileno())
        self._passing.replace(self._file)
        for folder in (self._folder, self._folder.parent):
            sync_folder(folder)


# --- asking ---


def _ask(provider: Provider, said: list[str], question: Callable[[Any], Any]) -> dict[str, Any]:
    """Ask the token server and return its answer; `said` must never be repeated, whatever it answers."""
    OAuth2Session, OAuth2Error, RequestException = _library()  # noqa: N806
    secret = provider.secret()
    hidden = [part for part in (secret, *said) if part]
    try:
        with OAuth2Session(
            provider.client_id,
            secret or None,
            scope=provider.scope or None,
            token_endpoint_auth_method=f"client_secret_{provider.client_auth}" if secret else "none",
            redirect_uri=REDIRECT,
            code_challenge_method="S256",
        ) as session:
            return dict(question(session))
    except OAuth2Error as e:
        raise _refusal(provider, str(e.error), str(e.description or ""), hidden) from None
    except (RequestException, OSError, ValueError) as e:
        what = f"{type(e).__name__}: {_clean(str(e), hidden)}"
        raise UnreachableError(f"the token server {_host(provider)} does not answer as it should: {what}") from None


def _by_ourselves(provider: Provider) -> dict[str, Any]:
    """Ask in the application's own name."""
    return _ask(provider, [], lambda session: session.fetch_token(
        provider.token_url, grant_type="client_credentials", **_manners(provider)))  # fmt: skip


def _library() -> tuple[Any, Any, Any]:
    try:
        from authlib.integrations.requests_client import OAuth2Session
        from authlib.oauth2 import OAuth2Error
        from requests import RequestException
    except ImportError as e:
        raise TokenRefusedError(_NO_EXTRA) from e
    return OAuth2Session, OAuth2Error, RequestException


def _manners(provider: Provider) -> dict[str, Any]:
    """Return how we ask: not for ever, and nowhere but where the configuration says."""
    return {"timeout": _TIMEOUT, "allow_redirects": False, "verify": provider.ca_file or True}


def _refusal(provider: Provider, error: str, description: str, hidden: list[str]) -> TicketdError:
    said = _clean(f"{error}: {description}" if description else error, hidden)
    if error in _WEATHER:
        return UnreachableError(f"the token server {_host(provider)} says {said}")
    cure = _CURES.get(error, _USUAL_CURE).format(name=provider.name)
    if error == "invalid_grant" and provider.flow == "client_credentials":
        cure = _USUAL_CURE.format(name=provider.name)
    return TokenRefusedError(f"[oauth.{provider.name}] is refused by {_host(provider)} ({said}): {cure}")


def _clean(text: str, hidden: list[str]) -> str:
    """Return one short line that holds none of our secrets."""
    for part in hidden:
        text = text.replace(part, "…")
    return "".join(c if c.isprintable() else " " for c in text)[:_LONGEST_TEXT]


def _host(provider: Provider) -> str:
    return urlsplit(provider.token_url).hostname or provider.token_url


# --- consent, given once by a person ---


def log_in(
    provider: Provider, folder: Path, now: Callable[[], datetime], say: Callable[[str], None], ask: Callable[[str], str]
) -> Kept:
    """Get the first token, by a person's consent where the flow wants one, and keep it; `say` tells them what to do.

    Raises UnreachableError or TokenRefusedError.
    """
    if provider.flow == "client_credentials":
        answer = _by_ourselves(provider)
    elif provider.device_url:
        answer = _by_device(provider, say)
    else:
        answer = _by_paste(provider, say, ask)
    kept = kept_of(provider, answer, now())
    if provider.flow == "refresh_token" and not kept.refresh_token:
        raise TokenRefusedError(
            "the provider gave no refresh token, so this would end within the hour; ask for offline access: "
            f"with Microsoft 'offline_access' in scope of [oauth.{provider.name}], with others as they document it"
        )
    shelf = Shelf(folder, provider.name)
    with shelf.locked():
        shelf.write(kept)
    return kept


def kept_tokens(provider: Provider, folder: Path) -> Kept | None:
    """Return what is on disk for this provider, for `ticketd oauth status`; None where a login is needed."""
    kept = Shelf(folder, provider.name).read()
    ours = kept is not None and (kept.client_id, kept.token_url) == (provider.client_id, provider.token_url)
    return kept if ours else None


def _by_device(provider: Provider, say: Callable[[str], None]) -> dict[str, Any]:
    """Let a person type a code into a page of the provider, and ask until they have (RFC 8628)."""
    begun = _ask(provider, [], lambda session: _device_codes(session, provider))
    code, pause = str(begun.get("device_code", "")), float(begun.get("interval") or 5)
    page = begun.get("verification_uri") or begun.get("verification_url")
    if not code or not page:
        raise UnreachableError(f"{_host(provider)}: its answer names no page and no code")
    say(f"Open {page} and type this code: {begun.get('user_code')}")
    say("Sign in there as the mailbox's own user. Waiting …")
    until = time.monotonic() + float(begun.get("expires_in") or 900)
    while time.monotonic() < until:
        time.sleep(pause)
        try:
            return _ask(provider, [code], lambda session: session.fetch_token(
                provider.token_url, grant_type=_DEVICE_GRANT, device_code=code, **_manners(provider)))  # fmt: skip
        except UnreachableError as e:  # a short gust must not cost the person another round
            pause += _PATIENCE_MORE if "slow_down" in str(e) else 0
        except TokenRefusedError as e:
            if "authorization_pending" not in str(e):
                raise
    raise TokenRefusedError(f"nobody typed the code in time; once more: ticketd oauth login {provider.name}")


def _device_codes(session: Any, provider: Provider) -> dict[str, Any]:
    asked = {"client_id": provider.client_id, "scope": provider.scope}
    answer = session.post(provider.device_url, data=asked, withhold_token=True, **_manners(provider))
    said = answer.json()
    if not isinstance(said, dict):
        raise ValueError("it is no JSON object")
    if "error" in said:
        raise session.oauth_error_class(said["error"], said.get("error_description"))
    return said


def _by_paste(provider: Provider, say: Callable[[str], None], ask: Callable[[str], str]) -> dict[str, Any]:
    """Let a person give consent in a browser and paste where it ended up: nothing has to listen anywhere."""
    state, verifier = os.urandom(16).hex(), os.urandom(32).hex()
    asked = {"state": state, "code_verifier": verifier, "access_type": "offline", "prompt": "consent"}
    page = _ask(provider, [], lambda session: {
        "url": session.create_authorization_url(provider.authorization_url, **asked)[0]})  # fmt: skip
    say(f"Open this page in a browser and sign in as the mailbox's own user:\n\n  {page['url']}\n")
    say(f"In the end the browser goes to {REDIRECT}… and may say that nothing is there: that is fine.")
    code = _code_in(ask("Paste the whole address of that page here"), state)
    return _ask(provider, [code, verifier], lambda session: session.fetch_token(
        provider.token_url, grant_type="authorization_code", code=code, code_verifier=verifier,
        **_manners(provider)))  # fmt: skip


def _code_in(pasted: str, state: str) -> str:
    """Return the code in what was pasted. Raises TokenRefusedError where it is the answer to another question."""
    said = parse_qs(urlsplit(pasted.strip()).query)
    if "error" in said:
        raise TokenRefusedError(f"the provider says: {_clean(said['error'][0], [])}")
    if said.get("state") != [state] or len(said.get("code", [])) != 1:
        raise TokenRefusedError("that is not the address of the page at the end; begin again and paste all of it")
    return said["code"][0]
