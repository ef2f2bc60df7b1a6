/** The nonce of this page for styles that libraries add. Vite's meta element carries it; browsers hide the attribute's text. */
export const nonce: string = document.querySelector<HTMLMetaElement>("meta[property=csp-nonce]")?.nonce ?? "";
