"""Signing in by an identity provider: its program, and the whole way with a real browser."""

from playwright.async_api import Browser, Route, expect

from checks.client import Client
from gateway.admin.oidc import CALLBACK
from stack.client import Running
from tests.e2e.console.visit import WIDE_LIGHT, Visit
from tests.integration.gateway.oidc.identity import provider
from tests.integration.gateway.oidc.world import gateway


async def test_an_invited_person_signs_in(running: Running, browser: Browser, client: Client) -> None:
    """From a link to a screen, over the provider's pages, to that screen."""
    async with gateway(running) as world:
        invited = {"email": world.email, "name": "Bob", "memberships": [{"role": "viewer"}]}
        made = await client.operator.call("POST", "/users", json=invited)
        assert made.status == 201, made.body
        async with (
            provider(world.port, world.url + CALLBACK, world.accounts),
            Visit.opened(browser, world.url, WIDE_LIGHT, "") as visit,
        ):
            page = visit.page
            visit.allow("status of 401")  # nobody was signed in
            visit.allow(rf"127\.0\.0\.1:{world.port}")  # the provider's own pages

            async def stay(route: Route) -> None:
                """Its pages ask other hosts for fonts, which a test does without."""
                await route.abort()

            await page.route("https://**", stay)
            visit.allow("https://|ERR_FAILED")
            await visit.open("/settings/sessions", "Sign in")
            await page.get_by_role("link", name="Sign in with 127.0.0.1").click()
            await page.locator("[name=login]").fill("bob")
            await page.locator("[name=password]").fill("any")
            await page.locator("[type=submit]").click()
            await page.get_by_role("button", name="Continue").click()
            await visit.settled("Your sessions")
            assert page.url == f"{world.url}/console/settings/sessions"
            await page.reload()
            await visit.settled("Your sessions")
            cookies = {one["name"]: one for one in await page.context.cookies(world.url)}
            assert (cookies["clarion_session"]["httpOnly"], cookies["clarion_session"]["sameSite"]) == (True, "Strict")
            await expect(page.get_by_role("main")).to_contain_text("127.0.0.1")
            visit.assert_faultless()
        await client.operator.call("DELETE", f"/users/{made.body['id']}")
