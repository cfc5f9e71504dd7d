"""Who logs in to which server with what: brings the tokens to the servers that the configuration names them for.

What comes in: a Config. What goes out: one Tokens for each [oauth.NAME], and the Bearer of a server (none where it
takes a password). All threads must share what `token_sources` returns once, or two of them would renew one token.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from daemon.bearer import Bearer
from daemon.clock import Clock
from daemon.config import Config, OAuthConfig, ServerConfig
from daemon.tokens import Provider, Tokens

TokenSources = Mapping[str, Tokens]


def token_folder(config: Config) -> Path:
    """Return where tokens are kept."""
    return Path(config.service.state_dir) / "oauth"


def provider_of(name: str, settings: OAuthConfig) -> Provider:
    """Return one [oauth.NAME] as the tokens' keeper wants it."""
    return Provider(
        name=name,
        flow=settings.flow,
        client_id=settings.client_id,
        secret=settings.secret,
        scope=settings.scopes,
        token_url=settings.token_url,
        device_url=settings.device_url,
        authorization_url=settings.authorization_url,
        client_auth=settings.client_auth,
        ca_file=settings.ca_file,
    )


def token_sources(config: Config) -> TokenSources:
    """Return the keeper of tokens of each provider. Tokens live by the real clock, whatever `--as-of` says."""
    folder, now = token_folder(config), Clock().now
    return {name: Tokens(provider_of(name, settings), folder, now) for name, settings in config.oauth.items()}


def bearer_of(server: ServerConfig, config: Config, sources: TokenSources) -> Bearer | None:
    """Return how this server is logged in to with a token, None where it takes a password."""
    name = config.provider_name(server)
    if server.auth == "password" or not name:
        return None
    return Bearer("XOAUTH2" if server.auth == "xoauth2" else "OAUTHBEARER", sources[name])


def users_of(name: str, config: Config) -> list[str]:
    """Return the servers that log in with this provider's tokens, as the configuration calls them."""
    servers = [(f"mailbox {box.name}", box) for box in config.mailbox] + [("smtp", config.smtp)]
    return [what for what, server in servers if config.provider_name(server) == name]
