"""The whole story of somebody who begins with Clarion: once with the mouse, once with the keyboard alone."""

from tests.e2e.console.visit import Visit
from tests.e2e.story.hands import Hand
from tests.e2e.story.story import Story
from tests.e2e.story.world import World


async def test_from_the_owner_link_to_the_webhook(visit: Visit, hand: Hand, world: World, link: str) -> None:
    """Every step leads to the next one in one page, which breaks no policy, asks no other host, and logs no error."""
    story = Story(visit, hand, world)
    await story.join(link)
    await story.create_a_tenant()
    await story.add_a_provider()
    await story.write_a_template()
    await story.activate_and_test()
    await story.trigger_and_watch()
    await story.open_the_message()
    await story.break_the_provider()
    await story.fix_it_and_replay()
    await story.see_a_push()
    await story.get_a_webhook()
    await story.assert_never_loaded_again()
