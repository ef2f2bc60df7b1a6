"""The document in which the console shows the HTML of mails, in the production build's page with its policy."""

from typing import Any

import pytest
from playwright.async_api import Frame, expect

from tests.e2e.console.visit import Visit

# A host that answers nothing: whatever asks it is seen by the visit, or by the list of requests.
_ELSEWHERE = "http://mail.example"
_HOSTILE = f"""<!doctype html>
<html><head>
<style>p {{ color: rgb(1, 2, 3) }} .far {{ background: url({_ELSEWHERE}/style.png) }}
@import "{_ELSEWHERE}/a.css";</style>
<link rel="stylesheet" href="{_ELSEWHERE}/link.css"><link rel="preconnect" href="{_ELSEWHERE}">
<meta http-equiv="refresh" content="0;url={_ELSEWHERE}/refresh"><base href="{_ELSEWHERE}/">
</head><body>
<p id="text" style="font-size: 33px">Hello</p>
<div class="far" style="background-image: url('{_ELSEWHERE}/inline.png')">far</div>
<img id="near" alt="near" src="data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7">
<img alt="far" src="{_ELSEWHERE}/a.png" srcset="{_ELSEWHERE}/b.png 2x">
<img alt="own" src="/api/v1/admin/session"><table background="{_ELSEWHERE}/table.png"><tr><td>cell</td></tr></table>
<svg><image href="{_ELSEWHERE}/svg.png"></image></svg>
<script>top.broken = 1; document.title = "broken"</script><img src="x" onerror="top.broken = 2">
<a id="link" href="{_ELSEWHERE}/link">link</a> <a id="script" href="javascript:top.broken = 3">script</a>
<form action="{_ELSEWHERE}/form" method="post"><button id="send">send</button></form>
<iframe src="{_ELSEWHERE}/frame"></iframe><object data="{_ELSEWHERE}/object"></object>
<video poster="{_ELSEWHERE}/poster.png" src="{_ELSEWHERE}/video.mp4"></video>
</body></html>"""

_EMBED = """async ([path, html, images]) => {
    const frame = document.createElement("iframe");
    frame.setAttribute("sandbox", "allow-scripts");
    frame.src = path;
    frame.width = 800;
    const answer = (wanted) => new Promise((resolve) => addEventListener("message", ({ source, origin, data }) => {
        if (source === frame.contentWindow && wanted in data) resolve({ ...data, origin });
    }));
    const ready = answer("ready");
    document.getElementById("main").append(frame);
    await ready;
    const shown = answer("remoteImages");
    frame.contentWindow.postMessage({ id: 1, html, images }, "*");
    return await shown;
}"""


async def _shown(visit: Visit, html: str, *, images: bool = False) -> tuple[dict[str, Any], Frame, list[str]]:
    """Return what the document answers, the frame with the mail, and every address that was asked for."""
    await visit.open("/settings")
    asked: list[str] = []
    visit.page.on("request", lambda request: asked.append(request.url))
    path = "/console/frame?images=remote" if images else "/console/frame"
    answer = await visit.page.evaluate(_EMBED, [path, html, images])
    inner = next(frame for frame in visit.page.frames if frame.url == "about:srcdoc")
    return answer, inner, [url for url in asked if "/console/frame" not in url]


async def test_a_mail_is_shown_with_its_styles_and_can_do_nothing(visit: Visit) -> None:
    """No script, no origin, no request to anybody; a click on a link or a button leaves the mail as it is."""
    answer, mail, asked = await _shown(visit, _HOSTILE)
    assert answer["origin"] == "null"
    assert answer["remoteImages"] == 7
    text = mail.locator("#text")
    assert await text.evaluate("(it) => [getComputedStyle(it).fontSize, getComputedStyle(it).color]") == [
        "33px",
        "rgb(1, 2, 3)",
    ]
    assert await mail.evaluate("[origin, document.compatMode, document.title]") == ["null", "CSS1Compat", ""]
    assert await mail.locator("#near").evaluate("(it) => it.complete && it.naturalWidth") == 1
    for name in ("#link", "#script", "#send"):
        await mail.locator(name).click()
        await expect(text).to_have_text("Hello")
    assert asked == []
    assert await visit.page.evaluate("window.broken") is None
    assert len(visit.page.context.pages) == 1


async def test_images_of_other_hosts_are_loaded_when_asked_for(visit: Visit) -> None:
    """Only images, and none of Clarion's own addresses."""
    await visit.page.route(
        f"{_ELSEWHERE}/**", lambda route: route.fulfill(status=200, content_type="image/png", body=b"")
    )
    visit.allow(f"request to another host: {_ELSEWHERE}/(a|b|style|inline|table|svg).png$")
    answer, mail, _ = await _shown(visit, _HOSTILE, images=True)
    assert answer["remoteImages"] == 0
    await expect(mail.locator("#text")).to_have_text("Hello")
    assert any("a.png" in fault for fault in visit.faults)


@pytest.mark.parametrize(
    "html", ["", "plain <b>part</b>", "<p>unclosed", "<!-- -->", "<frameset><frame></frameset>", "\0"]
)
async def test_anything_can_be_shown(visit: Visit, html: str) -> None:
    """Mails are often no whole documents."""
    answer, _mail, _asked = await _shown(visit, html)
    assert answer["remoteImages"] == 0


async def test_opened_by_itself_it_has_no_origin(visit: Visit) -> None:
    """Whoever opens its address gets an empty document that cannot reach the session's cookies or storage."""
    await visit.page.goto(f"{visit.url}/console/frame")
    assert await visit.page.evaluate("origin") == "null"
    assert await visit.page.locator("iframe").count() == 0
