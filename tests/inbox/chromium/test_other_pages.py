"""A page of another origin, in the same browser at the same time, cannot press a button or read an answer."""

from typing import Any

import pytest
from playwright.async_api import Response, expect
from starlette.responses import HTMLResponse

from rc_mcp.inbox.browser import listening_socket, serving
from tests.desk import Desk
from tests.inbox.chromium.opened import served
from tests.inbox.chromium.story import TEXTS, WHO, add_story
from tests.inbox.chromium.visits import ANOTHER_SITE, Visit

pytestmark = pytest.mark.anyio

NAMES = ["127.0.0.1", "localhost", ANOTHER_SITE]
"""By these names the other page is opened, at another port of this machine. From an address that is not this machine's,
Chromium lets no page ask this machine at all."""
REFUSED, WRONG_HOST = 403, 421
BODIES = {"/api/stop": "{}", "/api/plans": "{}", "/session": '{"key":"x"}'}
ATTEMPTS = """async ({ inbox, bodies }) => {
  const readable = [];
  const read = async (how, answer) => {
    const got = await answer;
    if (got.type !== "opaque") readable.push([how, got.status, await got.text()]);
  };
  const quietly = (promise) => promise.catch(() => {});
  const waits = [];
  for (const [path, body] of Object.entries(bodies))
    for (const base of inbox)
      for (const mode of ["cors", "no-cors", "same-origin"])
        for (const type of ["application/json", "text/plain", "application/x-www-form-urlencoded"])
          for (const credentials of ["include", "omit"])
            waits.push(quietly(read(`fetch ${base}${path} ${mode} ${type}`, fetch(base + path, {
              method: "POST", mode, credentials, body, headers: { "Content-Type": type },
            }))));
  for (const base of inbox) {
    waits.push(quietly(read(`get ${base}`, fetch(base + "/"))));
    navigator.sendBeacon(base + "/api/decide", new Blob([bodies["/api/decide"]], { type: "application/json" }));
  }
  await Promise.all(waits);

  // Forms, each into a frame of its own, and the inbox itself in a frame and in a window.
  const loads = [];
  const framed = (load) => loads.push(new Promise((resolve) => {
    const frame = document.createElement("iframe");
    frame.name = `frame${loads.length}`;
    document.body.append(frame);
    load(frame);
    frame.addEventListener("load", () => resolve(frame));
    setTimeout(() => resolve(frame), 3000);
  }));
  for (const base of inbox) {
    for (const [path, body] of Object.entries(bodies))
      for (const enctype of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
        framed((frame) => {
          const form = document.createElement("form");
          Object.assign(form, { action: base + path, method: "post", enctype, target: frame.name });
          const field = document.createElement("input");
          [field.name, field.value] = [body.slice(0, -1) + ',"', '":""}'];
          form.append(field);
          document.body.append(form);
          form.submit();
        });
    framed((frame) => (frame.src = base + "/"));
  }
  for (const frame of await Promise.all(loads)) {
    let inside = null;
    try { inside = frame.contentDocument?.body?.textContent || null; } catch {}
    if (inside) readable.push(["frame", inside]);
  }
  const opened = open(inbox[0] + "/", "_blank");
  await new Promise((resolve) => setTimeout(resolve, 500));
  let title = null;
  try { title = opened.document.title || null; } catch {}
  if (title) readable.push(["window", title]);
  try { opened.postMessage({ jsonrpc: "2.0", id: 1, result: {} }, "*"); } catch {}
  return readable;
}"""


@pytest.mark.parametrize("name", NAMES)
async def test_a_page_of_another_origin_presses_no_button(name: str, visit: Visit, desk: Desk) -> None:
    story = add_story(desk)
    visit.expects(".")  # browsers complain about nearly all of this
    statuses: set[int] = set()

    def answered(response: Response) -> None:
        if response.request.method == "POST":
            statuses.add(response.status)

    page = HTMLResponse("<!doctype html><title>Another page</title><body>")
    with listening_socket(0) as listening:
        async with serving(page, listening), served(desk) as server:
            user = await server.open(visit.page)
            await user.open_conversation(WHO)
            await user.tick([user.message(text) for text in TEXTS])
            await user.propose()
            [plan] = desk.plans.waiting()
            other = await visit.context.new_page()
            other.on("response", answered)
            await other.goto(f"http://{name}:{listening.getsockname()[1]}/")
            decision = f'{{"plan_id":"{plan.id}","approve":true,"message_ids":["{story.texts[0]}"]}}'
            readable: list[Any] = await other.evaluate(
                ATTEMPTS,
                {
                    "inbox": [f"http://{host}:{server.port}" for host in NAMES],
                    "bodies": {
                        "/api/decide": decision,
                        "/api/stop": "{}",
                        "/api/plans": "{}",
                        "/session": '{"key":"x"}',
                    },
                },
            )
            assert readable == []
            assert statuses == {REFUSED, WRONG_HOST}
            assert [found.id for found in desk.plans.waiting()] == [plan.id]
            assert desk.sent("DELETE") == []
            assert not (desk.state_dir / "STOP").exists()
            # The page itself still works, and its yes counts.
            await user.button(f"Delete {len(TEXTS)} messages").click()
            await expect(user.button("Undo")).to_be_visible()
            assert desk.sent("DELETE") != []
