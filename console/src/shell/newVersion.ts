const KEY = "clarion-reloaded";
const PAUSE_MS = 60_000;

/**
 * Load the page again when a part of it is gone, because a new version was built since the page was opened. At most
 * once a minute: if the part is still missing then, the screen shows the error.
 */
export function reloadForNewVersions(): void {
  window.addEventListener("vite:preloadError", (event) => {
    const last = Number(sessionStorage.getItem(KEY) ?? 0);
    if (Date.now() - last < PAUSE_MS) {
      return;
    }
    event.preventDefault();
    sessionStorage.setItem(KEY, String(Date.now()));
    window.location.reload();
  });
}
