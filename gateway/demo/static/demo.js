// The demo shop. The bell is <clarion-inbox>; this page gives it a session and shows what became of the orders.

const element = (id) => document.getElementById(id);
const inbox = element("inbox");
const LOOK_MS = 700;
const LOOKS = 40; // half a minute

async function call(path, options) {
  const answer = await fetch(path, { method: "POST", ...options });
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(body.message || `The server answered ${answer.status}.`);
  return body;
}

// A shop's own server would do this for the person who is signed in. The tenant's key stays there.
inbox.getToken = async () => {
  const session = await call("/demo/session");
  element("user").textContent = session.user_id;
  showCommand(session.user_id);
  return { token: session.token, channels: session.channels, tenant: session.tenant_id, user: session.user_id };
};

inbox.addEventListener("clarion-message", ({ detail }) => {
  for (const item of detail.items) {
    for (const step of document.querySelectorAll("[data-push]")) {
      if (item.title.includes(step.dataset.push)) done(step, "It is in the bell");
    }
  }
});

function make(name, text, className) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function done(step, text, href) {
  if (step.classList.contains("done")) return;
  step.classList.add("done");
  delete step.dataset.push;
  const shown = make(href ? "a" : "span", text);
  if (href) shown.href = href;
  step.lastElementChild.replaceWith(shown);
}

function waiting(label) {
  const step = make("li");
  step.append(make("strong", label), make("span", "waiting…"));
  return step;
}

function showOrder(order, name) {
  element("nothing").hidden = true;
  const row = make("li", "", "card");
  const head = make("p", "", "order");
  head.append(make("strong", name), make("span", ` · order ${order.order_id}`));
  const steps = make("ul", "", "steps");
  const accepted = waiting("Accepted");
  const [push, mail, text] = [waiting("Bell"), waiting("E-mail"), waiting("Text message")];
  push.dataset.push = order.order_id;
  steps.append(accepted, push, mail, text);
  row.append(head, steps);
  element("happened").prepend(row);
  done(accepted, "See what happened to it, step by step", `/console/messages/${encodeURIComponent(order.event_id)}`);
  follow(order, push, { EMAIL: mail, SMS: text });
}

// The sandbox has what mail and text message became.
async function follow(order, push, steps) {
  for (let look = 0; look < LOOKS; look++) {
    await new Promise((over) => setTimeout(over, LOOK_MS));
    const answer = await fetch(`/demo/outbox.json?event_id=${encodeURIComponent(order.event_id)}`).catch(() => null);
    const found = answer?.ok ? (await answer.json()).messages : [];
    for (const message of found) {
      const step = steps[message.channel];
      if (step) done(step, `To ${message.recipient}`, `/demo/outbox/${encodeURIComponent(message.id)}`);
    }
    if ([push, ...Object.values(steps)].every((step) => step.classList.contains("done"))) return;
  }
  for (const step of [push, ...Object.values(steps)]) {
    if (!step.classList.contains("done")) step.lastElementChild.textContent = "Nothing so far: its messages page says why.";
  }
}

element("shop").addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = event.submitter;
  const name = button.closest("article").querySelector("h2").textContent;
  button.disabled = true;
  try {
    const body = JSON.stringify({ product: button.value });
    showOrder(await call("/demo/orders", { headers: { "Content-Type": "application/json" }, body }), name);
  } catch (error) {
    element("nothing").hidden = true;
    element("happened").prepend(make("li", error.message, "card bad"));
  } finally {
    button.disabled = false;
    button.focus();
  }
});

function showCommand(user) {
  const text = `Sent from a terminal at ${new Date().toLocaleTimeString("en")}.`;
  const quoted = (value) => `'${value.replaceAll("'", "'\\''")}'`;
  element("command").textContent = [
    'eval "$(.venv/bin/python -m stack.client CLARION_URL CLARION_ADMIN_TOKEN CLARION_TENANT_ID)"',
    `.venv/bin/clarion send global.success --user ${quoted(user)} \\`,
    `  --var title=Hello --var message=${quoted(text)} --wait`,
  ].join("\n");
}

element("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(element("command").textContent);
    element("copy").textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(element("command"));
  }
});

// The component's script is asked for before this one.
if (!customElements.get("clarion-inbox")) {
  element("missing").hidden = false;
  inbox.getToken().catch(() => undefined);
}
