"""Each command against a running stack: what it does, what it prints, how it exits."""

from pathlib import Path

import pytest

from checks.client import Client
from tests.e2e.cli.conftest import Clarion

_MISSING = "01a22942-b474-7232-b96d-000000000000"


async def test_an_event_is_sent_and_followed(clarion: Clarion) -> None:
    """`send --wait` prints the id and each step until all deliveries have ended."""
    sent = await clarion(
        *("send", "global.success", "--user", "demo", "--email", "ada@example.com", "--wait"),
        *("--var", "title=Hi", "--var", "message=From the shell"),
    )
    assert sent.status == 0, sent.err
    event_id = sent.out.splitlines()[0]
    traced = await clarion("trace", event_id, "--json")
    assert traced.status == 0
    steps = [(step["channel"], step["step"]) for step in traced.objects]
    assert steps[0] == (None, "accepted")
    assert ("EMAIL", "sent") in steps
    assert ("PUSH", "sent") in steps


async def test_a_failed_delivery_is_the_exit_status(clarion: Clarion, client: Client) -> None:
    """Scripts notice it: 1, and the reason stands in the last line."""
    made = await client.operator.must("POST", "/tenants", json={"name": "Shell failures"})
    # Nothing listens there.
    smtp = {"host": "127.0.0.1", "port": 1, "tls": "none", "from_email": "shop@example.com"}
    provider = {"tenant_id": made["id"], "channel": "EMAIL", "kind": "smtp", "settings": smtp}
    await client.operator.must("POST", "/providers", json=provider)
    arguments = ("send", "global.success", "--tenant", made["id"], "--channel", "EMAIL", "--email", "ada@example.com")
    sent = await clarion(*arguments, "--var", "title=Hi", "--var", "message=x", "--wait")
    assert sent.status == 1, sent
    assert "provider_unreachable" in sent.out.splitlines()[-1]


async def test_the_same_key_is_sent_once(clarion: Clarion) -> None:
    """A script that is repeated does not send twice."""
    arguments = ("send", "global.success", "--user", "demo", "--key", "shell-once", "--json")
    first, second = await clarion(*arguments), await clarion(*arguments)
    assert first.objects[0]["event_id"] == second.objects[0]["event_id"]
    assert [first.objects[0]["duplicate"], second.objects[0]["duplicate"]] == [False, True]


@pytest.mark.parametrize(
    ("arguments", "environment", "status"),
    [
        (("send", "global.success"), {}, 2),
        (("send", "global.success", "--user", "u", "--var", "novalue"), {}, 2),
        (("trace", "--no-such"), {}, 2),
        (("trace", _MISSING, "--no-follow"), {}, 4),
        (("tenants", "show", _MISSING), {}, 4),
        (("tenants", "list"), {"CLARION_ADMIN_TOKEN": "wrong-wrong-wrong-wrong"}, 5),
        (("tenants", "list"), {"CLARION_URL": "http://127.0.0.1:1"}, 6),
        (("send", "x", "--user", "u", "--channel", "PIGEON"), {}, 3),
    ],
    ids=["nobody", "variable", "option", "event", "tenant", "token", "unreachable", "channel"],
)
async def test_a_failure_has_a_status_and_a_sentence(
    clarion: Clarion, arguments: tuple[str, ...], environment: dict[str, str], status: int
) -> None:
    """The statuses of docs/cli.md; nothing is printed on standard output, and no traceback."""
    ended = await clarion(*arguments, environment=environment)
    assert (ended.status, ended.out) == (status, ""), ended
    assert ended.err
    assert "Traceback" not in ended.err


async def test_templates_travel_through_files(clarion: Clarion, client: Client, tmp_path: Path) -> None:
    """Pull, edit, lint, push: one new version, of what was edited only; then nothing differs any more."""
    tenant = await client.operator.create_tenant("Shell templates")
    new = {"tenant_id": tenant.id, "event_type": "a/b", "channel": "EMAIL", "activate": True, "subject": "S"}
    await client.operator.must("POST", "/templates", json={**new, "body": "<p>one {{name}}</p>"})
    await client.operator.must("POST", "/templates", json={**new, "body": "<p>um {{name}}</p>", "locale": "pt-BR"})
    where = ("--tenant", tenant.id)
    pulled = await clarion("templates", "pull", str(tmp_path), *where)
    assert pulled.status == 0, pulled.err
    body = tmp_path / "a%2Fb" / "email.html"
    assert body.read_text() == "<p>one {{name}}</p>"
    assert (await clarion("templates", "push", str(tmp_path), *where)).out == "No template has changed.\n"
    body.write_text("<p>two\n{{#if}}</p>")
    linted = await clarion("templates", "lint", str(tmp_path), *where)
    assert linted.status == 1, linted
    assert "email.html:2:" in linted.out
    body.write_text("<p>two {{name}}</p>")
    assert (await clarion("templates", "lint", str(tmp_path), *where)).status == 0
    pushed = await clarion("templates", "push", str(tmp_path), "--activate", *where)
    assert pushed.out == "a/b EMAIL\n", pushed
    versions = await client.operator.must("GET", f"/templates?tenant_id={tenant.id}&event_type=a%2Fb&active=true")
    assert {one["body"] for one in versions["data"]} == {"<p>two {{name}}</p>", "<p>um {{name}}</p>"}
    assert (await clarion("templates", "push", str(tmp_path), *where)).out == "No template has changed.\n"


async def test_a_push_over_somebody_elses_change_is_refused(clarion: Clarion, client: Client, tmp_path: Path) -> None:
    """It names the file and creates nothing, also of the others; --force creates it."""
    tenant = await client.operator.create_tenant("Shell conflicts")
    new = {"tenant_id": tenant.id, "channel": "SMS", "activate": True}
    for event_type in ("mine", "shared"):
        await client.operator.must("POST", "/templates", json={**new, "event_type": event_type, "body": "one"})
    where = ("--tenant", tenant.id)
    await clarion("templates", "pull", str(tmp_path), *where)
    await client.operator.must("POST", "/templates", json={**new, "event_type": "shared", "body": "theirs"})
    for event_type in ("mine", "shared"):
        (tmp_path / event_type / "sms.txt").write_text("ours")
    refused = await clarion("templates", "push", str(tmp_path), *where)
    assert refused.status == 1, refused
    assert "shared/sms.txt" in refused.err
    versions = await client.operator.must("GET", f"/templates?tenant_id={tenant.id}")
    assert sorted(one["body"] for one in versions["data"]) == ["one", "one", "theirs"]
    forced = await clarion("templates", "push", str(tmp_path), "--force", *where)
    assert sorted(forced.out.splitlines()) == ["mine SMS", "shared SMS"], forced


async def test_tenants_keys_and_providers(clarion: Clarion) -> None:
    """What is created is listed, a key works until it is revoked, and secrets are shown once."""
    made = (await clarion("tenants", "create", "From the shell", "--json")).objects[0]
    where = ("--tenant", made["id"])
    assert made["api_key"]
    assert made["id"] in (await clarion("tenants", "list")).out
    key = (await clarion("keys", "create", "CI", "--json", *where)).objects[0]
    listed = await clarion("keys", "list", *where)
    assert key["last4"] in listed.out
    assert key["api_key"] not in listed.out
    assert (await clarion("keys", "revoke", key["id"], "--yes", *where)).status == 0
    assert (await clarion("keys", "list", "--json", *where)).objects == []
    provider = await clarion("providers", "create", "EMAIL", "sandbox", "--name", "try", *where)
    assert provider.status == 0, provider.err
    assert provider.out.strip() in (await clarion("providers", "list", *where)).out


async def test_a_replay_shows_its_end(clarion: Clarion, client: Client) -> None:
    """It waits until all that matches has been sent again, and counts it."""
    tenant = await client.operator.create_tenant("Shell replays")
    assert (await clarion("send", "no.template", "--tenant", tenant.id, "--user", "u", "--wait")).status == 0
    done = await clarion("replay", "since", "2020-01-01", "--tenant", tenant.id, "--status", "all", "--json")
    assert done.status == 0, done.err
    assert (done.objects[0]["state"], done.objects[0]["replayed"]) == ("done", 1)


async def test_completion_is_offered(clarion: Clarion) -> None:
    """Typer's protocol: the shell asks the command itself what may follow."""
    script = await clarion(environment={"_CLARION_COMPLETE": "source_bash"})
    assert "complete" in script.out
    assert script.status == 0
    words = {"_CLARION_COMPLETE": "complete_bash", "COMP_WORDS": "clarion templates pu", "COMP_CWORD": "2"}
    assert sorted((await clarion(environment=words)).out.split()) == ["pull", "push"]
