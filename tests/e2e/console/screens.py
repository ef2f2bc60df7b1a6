"""The screens of the console, for tests and pictures of all of them.

Whoever adds a screen adds it here, what it shows to seeding.py, and runs `python -m tests.e2e.console.trees`.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Screen:
    """name: of its picture and its tree. path: below /console; {words} stand for ids of seeding.World.

    lists_all: it lists objects of all tenants, so that what other tests have made is in its tables and lists, too.
    signed_out: it is for people without a session.
    """

    name: str
    path: str
    lists_all: bool = False
    signed_out: bool = False


SCREENS = (
    Screen("messages", "/messages?tenant={tenant}"),
    Screen("message", "/messages/{event}?tenant={tenant}"),
    Screen("triggers", "/triggers?tenant={tenant}"),
    Screen("trigger", "/triggers/{trigger}?tenant={tenant}"),
    Screen("trigger-new", "/triggers/new?tenant={tenant}"),
    Screen("schedules", "/schedules?tenant={tenant}"),
    Screen("schedule", "/schedules/{schedule}?tenant={tenant}"),
    Screen("schedule-new", "/schedules/new?tenant={tenant}"),
    Screen("overview", "/overview?tenant={tenant}"),
    Screen("dead-letters", "/dead-letters?tenant={tenant}"),
    Screen("refused", "/refused?tenant={tenant}"),
    Screen("workflows", "/workflows?tenant={tenant}"),
    Screen("workflow", "/workflows/{workflow}?tenant={tenant}"),
    Screen("workflow-versions", "/workflows/{workflow}/versions?tenant={tenant}"),
    Screen("workflow-new", "/workflows/new?tenant={tenant}"),
    Screen("templates", "/templates?tenant={tenant}"),
    Screen("template", "/templates/{template}"),
    Screen("template-editor", "/templates/{template}/edit"),
    Screen("template-new", "/templates/new?tenant={tenant}"),
    Screen("layouts-and-partials", "/templates/parts?tenant={tenant}"),
    Screen("layout", "/templates/parts/{layout}"),
    Screen("layout-new", "/templates/parts/new?tenant={tenant}"),
    Screen("test-send", "/test-send?tenant={tenant}"),
    Screen("providers", "/providers", lists_all=True),
    Screen("providers-of-tenant", "/providers?tenant={tenant}"),
    Screen("provider", "/providers/{provider}?tenant={tenant}"),
    Screen("provider-kinds", "/providers/new?tenant={tenant}"),
    Screen("provider-new", "/providers/new?tenant={tenant}&kind=EMAIL.smtp"),
    Screen("endpoints", "/endpoints", lists_all=True),
    Screen("endpoints-of-tenant", "/endpoints?tenant={tenant}"),
    Screen("endpoint", "/endpoints/{endpoint}?tenant={tenant}"),
    Screen("endpoint-subscriptions", "/endpoints/{endpoint}?tenant={tenant}&tab=subscriptions"),
    Screen("endpoint-waiting", "/endpoints/{endpoint}?tenant={tenant}&tab=waiting"),
    Screen("endpoint-receiver", "/endpoints/{endpoint}?tenant={tenant}&tab=receiver"),
    Screen("endpoint-settings", "/endpoints/{endpoint}?tenant={tenant}&tab=settings"),
    Screen("endpoint-new", "/endpoints/new?tenant={tenant}"),
    Screen("event-types", "/endpoints/event-types?tenant={tenant}"),
    Screen("applications", "/endpoints/applications?tenant={tenant}"),
    Screen("recipients", "/recipients?tenant={tenant}"),
    Screen("recipient", "/recipients/{recipient}?tenant={tenant}"),
    Screen("suppressions", "/suppressions?tenant={tenant}"),
    Screen("tenants", "/tenants", lists_all=True),
    Screen("tenant", "/tenants/{tenant}"),
    Screen("tenant-settings", "/tenants/{tenant}/settings"),
    Screen("tenant-keys", "/tenants/{tenant}/keys"),
    Screen("tenant-security", "/tenants/{tenant}/security"),
    Screen("tenant-retention", "/tenants/{tenant}/retention"),
    Screen("tenant-environments", "/tenants/{tenant}/environments"),
    Screen("settings", "/settings"),
    Screen("alerts", "/settings/alerts", lists_all=True),
    Screen("users", "/settings/users", lists_all=True),
    Screen("user", "/settings/users/{user}"),
    Screen("sessions", "/settings/sessions", lists_all=True),
    Screen("audit", "/settings/audit", lists_all=True),
    Screen("sign-in", "/sign-in", signed_out=True),
    Screen("join", "/join#{invitation}", signed_out=True),
    Screen("not-found", "/no-such-page"),
)
