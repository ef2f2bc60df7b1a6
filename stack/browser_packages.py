"""Installs the gateway's packages for the browser (gateway/browser/README.md)."""

from stack import npm
from stack.node import ROOT, Report

FOLDER = ROOT / "gateway" / "browser"
# The files that the gateway serves; each pattern has at least one.
SERVED = (
    "@scalar/api-reference/dist/browser/standalone.esm.js",
    "@scalar/api-reference/dist/browser/chunks/*.js",
)


def is_installed() -> bool:
    """Return whether what the lock names is installed, and no file that is served is missing or incomplete."""
    return npm.is_installed(FOLDER, SERVED)


def install(report: Report) -> None:
    """Install them unless they are there. Blocking. Raises NodeError."""
    if is_installed():
        return
    report("fetching the packages of the API page (about 13 MB, once)")
    with npm.one_at_a_time(FOLDER) as held:
        npm.install(FOLDER, held, report, needed=SERVED, omit_dev=True)
