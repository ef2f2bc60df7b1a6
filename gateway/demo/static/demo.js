// The demo inbox. The server's inbox is the truth; live notifications are shown at once.
"use strict";

const SHOWN = 50;
const RESTART_MS = 3000;
const CROWDED_MS = 60000; // the user has the largest number of open pages
const CONNECTION_LIMIT = 3504;

const element = (id) => document.getElementById(id);
const items = new Map(); // notifications by id
let session = null; // {tenant_id, user_id, token, channels}
let client = null;
let unread = 0;
let isReading = false; // the inbox is being read
let isStale = false; // there is something newer than what was read last

async function openSession() {
  const answer = await fetch("/demo/session", { method: "POST" });
  if (!answer.ok) throw new Error(`The demo is not available (${answer.status}).`);
  session = await answer.json();
  element("user").textContent = session.user_id;
  return session;
}

// Call the inbox API as this user. An expired token is replaced once.
async function ask(path, options = {}, isSecondTry = false) {
  const base = `/api/v1/notifications/${encodeURIComponent(session.tenant_id)}/${encodeURIComponent(session.user_id)}`;
  const headers = { Authorization: `Bearer ${session.token}` };
  const answer = await fetch(base + path, { ...options, headers });
  if (answer.status === 401 && !isSecondTry) {
    await openSession();
    return ask(path, options, true);
  }
  if (!answer.ok) throw new Error(`The inbox does not answer (${answer.status}).`);
  return answer.json();
}

// Read the inbox, and read it again if something arrived meanwhile.
async function reload() {
  isStale = true;
  if (isReading) return;
  isReading = true;
  element("list").setAttribute("aria-busy", "true");
  while (isStale) {
    isStale = false;
    await read();
    show();
  }
  isReading = false;
  element("list").setAttribute("aria-busy", "false");
}

async function read() {
  try {
    const list = await ask(`?limit=${SHOWN}`);
    const count = await ask("/unread-count"); // after the list, so that it includes all that is shown
    for (const item of list.data) items.set(item.id, item);
    unread = count.unread;
    element("fault").hidden = true;
  } catch (error) {
    element("fault").textContent = `${error.message} Trying again.`;
    element("fault").hidden = false;
    setTimeout(reload, RESTART_MS);
  }
}

// Show it at once. Only the inbox knows whether it is already counted.
function arrive(data) {
  const id = data.referenceId;
  if (!id || items.has(id)) return;
  const created = data.timestamp ? new Date(data.timestamp * 1000) : new Date();
  items.set(id, {
    id,
    type: data.eventType,
    title: data.title,
    body: data.body,
    status: "UNREAD",
    created_at: created.toISOString(),
  });
  element("news").textContent = `New notification: ${data.title}`;
  show();
  reload();
}

async function markRead(item, button) {
  button.disabled = true;
  try {
    const answer = await ask(`/${encodeURIComponent(item.id)}/read`, { method: "PUT" });
    if (answer.success) item.status = "READ";
  } catch {
    button.disabled = false; // the button stays, so that the user can try again
  }
  await reload();
  element("bell").focus();
}

function show() {
  const newest = [...items.values()].sort((a, b) => b.created_at.localeCompare(a.created_at));
  for (const old of newest.splice(SHOWN)) items.delete(old.id);
  element("list").replaceChildren(...newest.map(listItem));
  element("empty").hidden = newest.length > 0;
  element("unread").textContent = unread > 99 ? "99+" : String(unread);
  element("unread").hidden = unread === 0;
  element("bell").setAttribute("aria-label", `Notifications, ${unread} unread`);
}

// Title and body are not trusted: they are only set as text, never as HTML.
function listItem(item) {
  const row = document.createElement("li");
  row.dataset.id = item.id;
  row.dataset.status = item.status;
  const title = document.createElement("h2");
  title.textContent = item.title || item.type;
  row.append(title);
  if (item.status === "UNREAD") {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Mark as read";
    button.setAttribute("aria-label", `Mark as read: ${title.textContent}`);
    button.addEventListener("click", () => markRead(item, button));
    row.append(button);
  } else {
    row.append(document.createElement("span"));
  }
  const body = document.createElement("p");
  body.textContent = item.body;
  const time = document.createElement("time");
  time.dateTime = item.created_at;
  time.textContent = new Date(item.created_at).toLocaleString();
  row.append(body, time);
  return row;
}

function tell(state) {
  const words = { connected: "Connected", connecting: "Connecting…", disconnected: "Disconnected" };
  element("state").dataset.state = state;
  element("state").textContent = words[state];
}

// Get a new token. After a revocation the channels have other names, so everything starts again.
async function getToken() {
  const before = session.channels.join();
  await openSession();
  if (session.channels.join() !== before) setTimeout(restart, 0);
  return session.token;
}

function connect() {
  const url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/connection/websocket`;
  client = new Centrifuge(url, {
    token: session.token,
    getToken,
    minReconnectDelay: 200,
    maxReconnectDelay: 3000,
  });
  client.on("connected", () => tell("connected"));
  client.on("connecting", () => tell("connecting"));
  client.on("disconnected", (context) => {
    tell("disconnected");
    if (context.code === 0) return; // the page itself disconnected
    setTimeout(restart, context.code === CONNECTION_LIMIT ? CROWDED_MS : RESTART_MS); // the server refused
  });
  for (const channel of session.channels) {
    const subscription = client.newSubscription(channel);
    subscription.on("publication", (context) => arrive(context.data));
    subscription.on("subscribed", (context) => {
      // The hub keeps little history. If it cannot fill the gap, read the inbox.
      if (!context.recovered) reload();
    });
    subscription.subscribe();
  }
  client.connect();
}

function restart() {
  if (client !== null) client.disconnect();
  start();
}

async function start() {
  tell("connecting");
  try {
    await openSession();
  } catch {
    tell("disconnected");
    setTimeout(start, RESTART_MS);
    return;
  }
  connect();
}

element("bell").addEventListener("click", () => {
  const isOpen = element("bell").getAttribute("aria-expanded") === "true";
  element("bell").setAttribute("aria-expanded", String(!isOpen));
  element("inbox").hidden = isOpen;
});

start();
