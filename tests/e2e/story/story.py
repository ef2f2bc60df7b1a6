"""The story of somebody who begins with Clarion, step by step, as one person does it in the console."""

import re
from urllib.parse import parse_qs, urlsplit

from playwright.async_api import FrameLocator, Locator, expect

from tests.conftest import free_port
from tests.e2e.console.dialogs import open_dialog
from tests.e2e.console.visit import Visit
from tests.e2e.recipients.site import Visitor
from tests.e2e.story.hands import Hand
from tests.e2e.story.world import World, shell
from tests.waiting import eventually

_PASSWORD = "correct horse battery"
_SUBJECT = "Your order {{orderId}} is on its way"
_BEGINNING = """<mjml>
  <mj-body>
    <mj-section><mj-column>
"""
_WRONG = "<mj-text>{{orderId}} for {{#if name}}{{name}}</mj-text>"
_RIGHT = "<mj-text>{{orderId}} for {{#if name}}{{name}}{{else}}you{{/if}}</mj-text>"
_END = """
    </mj-column></mj-section>
  </mj-body>
</mjml>"""
_UNREACHABLE = "No connection to the provider was possible."
_MOST_ORDERS = 3
_LOADED = "performance.timeOrigin"
# A provider's state and a message are read again every few seconds.
_SLOW_MS = 60_000


class Story:
    """What one person does, with one hand. Each step begins where the one before ended; the page is never reloaded."""

    def __init__(self, visit: Visit, hand: Hand, world: World) -> None:
        self.visit = visit
        self.page = visit.page
        self.hand = hand
        self.world = world
        who = type(hand).__name__
        self.tenant = f"Walnut <Lamps> & Sons, {who}"
        self.event_type = f"order.shipped.{who.lower()}"
        self.key = ""
        self._loaded_at = 0.0
        self._failed = ""
        # As the console shows them.
        self.first_command = ""
        self.command = ""

    async def join(self, link: str) -> None:
        """Become an owner by the link."""
        address = urlsplit(link)
        await self.visit.open(f"{address.path.removeprefix('/console')}#{address.fragment}")
        if await self.page.get_by_label("E-mail address").is_editable():
            await self.hand.fill("E-mail address", "maria@example.com")
        await self.hand.fill("Your name (optional)", "Maria Kim")
        await self.hand.fill("New password", _PASSWORD)
        await self.hand.press("button", re.compile("^(Create my account|Join)$"))
        await self.visit.settled("Messages")
        self._loaded_at = await self.page.evaluate(_LOADED)

    async def assert_never_loaded_again(self) -> None:
        """Fail if the page is another one than that which the person joined with."""
        assert await self.page.evaluate(_LOADED) == self._loaded_at

    async def create_a_tenant(self) -> None:
        """Create a tenant; its key is shown once, with a command."""
        hand = self.hand
        await self._go("Tenants")
        await hand.press("button", "New tenant")
        await hand.fill("Name", self.tenant)
        await hand.press("button", "Create tenant")
        await hand.press("button", "Copy API key")
        self.key = await self._clipboard()
        await hand.press("button", "Copy command")
        self.first_command = await self._clipboard()
        assert self.key in self.first_command
        await hand.press("button", "I have copied it")
        await self.visit.settled(self.tenant)
        assert self.key not in await self.page.content()

    async def add_a_provider(self) -> None:
        """Follow what is missing to the form that the kind's metadata makes; a test proves that mail goes out."""
        page, hand = self.page, self.hand
        await hand.press("link", re.compile("^Create a provider"), self._part("What is missing"))
        await self.visit.settled("Providers")
        await hand.press("link", "Add a provider")
        await self.visit.settled("Add a provider")
        await hand.press("link", re.compile("^SMTP server"))
        await self.visit.settled("Add SMTP server")
        await hand.fill("Name (optional)", "Post office")
        await hand.fill("Server", "127.0.0.1")
        await hand.fill("Port", str(self.world.mail_port))
        await hand.choose("Encryption", "none")
        await hand.fill("Sender's address", "shop@walnut.example")
        await hand.press("button", "Add provider")
        await self.visit.settled("Post office")
        await hand.press("button", "Send a test")
        dialog = page.get_by_role("dialog", name="Send a test through Post office")
        await hand.fill("E-mail address", "ada@example.com", dialog)
        await hand.press("button", "Send test", dialog)
        await expect(dialog).to_contain_text("The provider accepted the message")
        await hand.press("button", "Close", dialog)

    async def write_a_template(self) -> None:
        """Write MJML with an error: it stands at its line, and the preview keeps the last version without errors."""
        page, hand = self.page, self.hand
        self.visit.allow(r"status of 422 .*/templates/preview")  # its answer to the error
        await self._go("Templates")
        await hand.press("link", "New template")
        await self.visit.settled("New template")
        await hand.fill("Event type", self.event_type)
        await hand.press("button", re.compile("^Use this example"))
        await self.visit.settled(f"New template for {self.event_type}")
        shown = self._mail("Preview of the e-mail")
        await expect(shown.get_by_text("has left our warehouse")).to_be_visible()
        await hand.write("Subject", _SUBJECT)
        await hand.write("Body", _BEGINNING + _WRONG + _END)
        errors = self._part("Errors")
        await expect(errors).to_contain_text("is not closed")
        await expect(page.locator(".cm-lint-marker-error")).to_have_count(1)
        await expect(shown.get_by_text("has left our warehouse")).to_be_visible()
        await hand.press("button", re.compile("^Body, line 4"), errors)
        await expect(page.get_by_role("textbox", name="Body", exact=True)).to_be_focused()
        await page.keyboard.press("Home")
        await page.keyboard.press("Shift+End")
        await page.keyboard.insert_text(_RIGHT)
        await expect(errors).to_have_count(0)
        await expect(shown.get_by_text("W-1042 for Ada")).to_be_visible()

    async def activate_and_test(self) -> None:
        """Save and activate, then send a test to an address."""
        page, hand = self.page, self.hand
        await hand.press("button", "Save and activate")
        await self.visit.settled(f"Edit {self.event_type}")
        await expect(page.get_by_text("Nothing to save")).to_be_visible()
        await expect(self._mail("Preview of the e-mail").get_by_text("W-1042 for Ada")).to_be_visible()
        await hand.press("button", "Send a test")
        dialog = page.get_by_role("dialog", name="Send a test")
        await hand.fill("E-mail address", "ada@example.com", dialog)
        await hand.press("button", "Send", dialog)
        await expect(dialog.get_by_text("The test is through.")).to_be_visible(timeout=_SLOW_MS)
        await expect(dialog.get_by_text("sent", exact=True)).to_be_visible()
        await hand.press("button", "Close", dialog)
        await self._mail_arrives("W-1042")

    async def trigger_and_watch(self) -> None:
        """Copy the command, watch the list, run the command: the message comes by itself."""
        page, hand = self.page, self.hand
        await hand.press("link", "Versions and languages")
        await self.visit.settled(self.event_type)
        await hand.press("button", "Copy command", self._part("Send it from your program"))
        self.command = await self._clipboard()
        await self._go("Messages")
        await expect(page.get_by_role("main").get_by_role("status").filter(has_text="live")).to_be_visible()
        messages = page.get_by_role("link", name=self.event_type, exact=True)
        await expect(messages).to_have_count(1)  # the test
        await shell(self.command, CLARION_API_KEY=self.key)
        await expect(messages).to_have_count(2)
        await expect(self._newest()).to_contain_text("you@example.com")
        await expect(self._newest()).to_contain_text("sent", timeout=_SLOW_MS)

    async def open_the_message(self) -> None:
        """Its way step by step, and the mail as it was sent, in a frame without any power."""
        page = self.page
        await self._open_newest()
        happened = self._part("What happened")
        for step in ("Accepted", "Routed", "Rendered", "Sent"):
            await expect(happened.get_by_text(step, exact=True).first).to_be_visible()
        sent = self._part("What was sent: E-mail")
        await expect(sent.get_by_text("Your order W-1042 is on its way", exact=True)).to_be_visible()
        await expect(self._mail("The e-mail").get_by_text("W-1042 for Ada")).to_be_visible()
        await expect(page.get_by_title("The e-mail")).to_have_attribute("sandbox", "allow-scripts")

    async def break_the_provider(self) -> None:
        """Enter a wrong port: the next message fails, and its page says why in plain words and what to do."""
        await self._set_port(free_port())
        await self._go("Messages")
        await self._order_until_one_fails()
        await self._open_newest()
        happened = self._part("What happened")
        await expect(happened).to_contain_text(_UNREACHABLE)
        await expect(happened).to_contain_text("What to do: Check the provider's host and port")
        # Its last attempt is over: else it would be sent by itself after the repair.
        replay = self.page.get_by_role("button", name="Replay what was not sent")
        await expect(replay).to_be_visible(timeout=_SLOW_MS)

    async def fix_it_and_replay(self) -> None:
        """Enter the right port, and send again what was not sent."""
        await self._set_port(self.world.mail_port)
        await self._go("Messages")
        await self._open_newest()
        await self.hand.press("button", "Replay what was not sent")
        await expect(self._part("Event")).to_contain_text("Replay of")
        await expect(self._part("What happened").get_by_text("Sent", exact=True)).to_be_visible(timeout=_SLOW_MS)
        await self._mail_arrives(self._failed)

    async def see_a_push(self) -> None:
        """The command of the new key sends a push; the page of the tenant, which is open, shows it."""
        browser = self.page.context.browser
        assert browser is not None
        tenant_id = await self._tenant_id()
        context = await browser.new_context()
        try:
            async with self.world.site(tenant_id, self.key, "demo") as site:
                visitor = Visitor(await context.new_page(), site)
                await visitor.visit()
                await visitor.has_unread(0)
                await shell(self.first_command)
                await visitor.has_unread(1)
                await self.hand.on(visitor.page).press("button", "Notifications, 1 unread")
                assert await visitor.bodies() == ["Sent with a new API key."]
                assert visitor.faults == []
        finally:
            await context.close()

    async def get_a_webhook(self) -> None:
        """Create an event type and an endpoint, read its secret, and verify what arrives with it."""
        page, hand, receiver = self.page, self.hand, self.world.receiver
        await self._go("Endpoints")
        await hand.press("link", "Event types", page.get_by_role("navigation", name="Webhooks"))
        await self.visit.settled("Event types")
        await hand.press("button", "Create an event type")
        await hand.fill("Name", self.event_type, open_dialog(page))
        await hand.press("button", "Create event type", open_dialog(page))
        await expect(page.get_by_role("cell", name=self.event_type, exact=True)).to_be_visible()
        await hand.press("link", "Endpoints", page.get_by_role("navigation", name="Webhooks"))
        await self.visit.settled("Endpoints")
        await hand.press("link", "Create an endpoint")
        await self.visit.settled("Create an endpoint")
        await hand.fill("URL", receiver.url)
        await hand.fill("Description (optional)", "Warehouse")
        await hand.press("button", "Create endpoint")
        await self.visit.settled("Warehouse")
        await hand.press("button", "Subscribe to event types")
        await hand.tick(self.event_type, open_dialog(page))
        await hand.press("button", "Subscribe", open_dialog(page))
        await expect(page.get_by_role("table", name="Subscriptions")).to_contain_text(self.event_type)
        await hand.press("button", "Show secret …")
        await hand.press("button", "Show secret", open_dialog(page))
        shown = page.get_by_role("dialog", name="The signing secret")
        await hand.press("button", "Copy the secret", shown)
        secret = await self._clipboard()
        await hand.press("button", "Close", shown)
        await self._order("A-3")
        await eventually(lambda: receiver.arrived)
        assert [one["orderId"] for one in receiver.verified(secret)] == ["A-3"]
        await hand.open_tab("Deliveries")
        await hand.press("button", "Refresh")
        await expect(page.get_by_role("row").filter(has_text=self.event_type)).to_contain_text("sent")

    async def _set_port(self, port: int) -> None:
        await self._go("Providers")
        await self.hand.press("link", "Post office")
        await self.visit.settled("Post office")
        await self.hand.fill("Port", str(port))
        await self.hand.press("button", "Save")
        await expect(self.page.get_by_text("The settings are saved").first).to_be_visible()

    def _newest(self) -> Locator:
        """Return the first row of the list of messages."""
        return self.page.get_by_role("row").nth(1)

    async def _open_newest(self) -> None:
        await self.hand.press("link", self.event_type, self._newest())
        await self.visit.settled(self.event_type)

    async def _tenant_id(self) -> str:
        """Return the id of the tenant in sight, which stands in the address."""
        return parse_qs(urlsplit(self.page.url).query)["tenant"][0]

    async def _go(self, screen: str) -> None:
        """Follow the navigation."""
        await self.hand.press("link", screen, self.page.get_by_role("navigation", name="Screens"))
        await self.visit.settled(screen)

    def _part(self, name: str) -> Locator:
        """Return a part of the page by its heading."""
        return self.page.get_by_role("region", name=name, exact=True)

    def _mail(self, title: str) -> FrameLocator:
        """Return the content of a mail, which is in a frame of a frame."""
        frame = self.page.get_by_title(title).content_frame
        return frame.locator("iframe").last.content_frame  # while another mail is shown, the one before is there, too

    async def _order(self, order: str) -> str:
        """Run the command about another order, as a developer changes a word of it; return the event's id."""
        assert "W-1042" in self.command
        return await shell(self.command.replace("W-1042", order), CLARION_API_KEY=self.key)

    async def _order_until_one_fails(self) -> None:
        """Order again while a process may still use the settings from before: for about a second."""
        messages = self.page.get_by_role("link", name=self.event_type, exact=True)
        for number in range(_MOST_ORDERS):
            known = await messages.count()
            self._failed = f"B-{number}"
            await self._order(self._failed)
            await expect(messages).to_have_count(known + 1)
            await expect(self._newest()).to_contain_text(re.compile(f"sent|{_UNREACHABLE}"), timeout=_SLOW_MS)
            if _UNREACHABLE in await self._newest().inner_text():
                return
        raise AssertionError(f"{_MOST_ORDERS} orders were sent through a provider with a wrong port")

    async def _mail_arrives(self, text: str) -> str:
        """Return the mail with this text, once the server has it."""
        return await eventually(lambda: next((one for one in self.world.mails() if text in one), ""))

    async def _clipboard(self) -> str:
        text: str = await self.page.evaluate("navigator.clipboard.readText()")
        return text
