"""What the senders make of their settings before they connect to anything: a wrong one ends the start."""

from dataclasses import dataclass

from runtime.egress import AddressNotAllowed, EgressGuard
from runtime.encryption import Vault
from runtime.errors import ClarionError, Code
from services.domain.pseudonyms import Pseudonyms
from services.senders import egress, registry
from services.senders.http import parse_urls
from services.senders.reports.links import Links, check_public_url
from services.senders.settings import Settings


@dataclass(frozen=True, slots=True)
class CheckedSettings:
    """The settings that need more than a type. provider_urls: the API's address by kind, where an operator set one."""

    vault: Vault
    pseudonyms: Pseudonyms
    links: Links
    egress: egress.Egress
    provider_urls: dict[str, str]


def check(settings: Settings) -> CheckedSettings:
    """Return the checked settings. Raises INVALID naming the variable that is wrong."""
    vault, guards = _vault(settings), _egress(settings)
    return CheckedSettings(
        vault=vault,
        pseudonyms=Pseudonyms(settings.pseudonym_key.reveal()),
        links=_links(settings, vault),
        egress=guards,
        provider_urls=_provider_urls(settings, guards.web),
    )


def _vault(settings: Settings) -> Vault:
    try:
        return Vault(*settings.encryption_keys.reveal().split(","))
    except ValueError as error:
        raise ClarionError(Code.INVALID, f"CLARION_ENCRYPTION_KEYS: {error}") from error


def _links(settings: Settings, vault: Vault) -> Links:
    try:
        return Links(vault, check_public_url(settings.public_url))
    except ValueError as error:
        raise ClarionError(Code.INVALID, f"CLARION_PUBLIC_URL: {error}") from error


def _egress(settings: Settings) -> egress.Egress:
    try:
        return egress.read(settings)
    except ValueError as error:
        raise ClarionError(Code.INVALID, str(error)) from error


def _provider_urls(settings: Settings, guard: EgressGuard) -> dict[str, str]:
    try:
        urls = parse_urls(settings.provider_urls)
        if urls:
            from runtime.egress import web  # aiohttp is loaded only where it is used

            for url in urls.values():
                web.check_url(guard, url)
    except (AddressNotAllowed, ValueError) as error:
        raise ClarionError(Code.INVALID, f"CLARION_PROVIDER_URLS: {error}") from error
    # The messages of a misspelt kind would go to the provider's public address, unnoticed.
    if unknown := urls.keys() - registry.all_kind_names():
        raise ClarionError(Code.INVALID, f"CLARION_PROVIDER_URLS: there is no kind {', '.join(sorted(unknown))}")
    return urls
