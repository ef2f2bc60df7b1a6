// Starts the viewer. Keys typed into it stay in this tab's memory: they are not stored, and the page's policy
// allows connections to this address only.
try {
  const { createApiReference } = await import("/docs/viewer/standalone.esm.js");
  document.getElementById("api").replaceChildren();
  createApiReference("#api", {
    url: "/openapi.json",
    title: "Clarion API",
    persistAuth: false,
    // Nothing from or to another host.
    agent: { disabled: true },
    mcp: { disabled: true },
    hideClientButton: true,
    showDeveloperTools: "never",
    telemetry: false,
    withDefaultFonts: false,
  });
} catch (error) {
  console.error(error);
  document.getElementById("state").textContent =
    "The viewer could not be loaded. Where Clarion runs from a checkout, `make pages` installs it.";
}
