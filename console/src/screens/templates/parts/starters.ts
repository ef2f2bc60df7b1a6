import type { PartKind } from "../data";

/** What a new layout or partial begins with. */
export const PART_STARTERS: Readonly<Record<PartKind, string>> = {
  LAYOUT: `<mjml>
  <mj-head>
    <mj-attributes>
      <mj-all font-family="Helvetica, Arial, sans-serif" />
      <mj-text font-size="16px" line-height="1.5" color="#222222" />
    </mj-attributes>
  </mj-head>
  <mj-body background-color="#f4f4f2">
    {{{content}}}
    <mj-section>
      <mj-column>
        <mj-text align="center" font-size="13px" color="#5b5955">You get this mail as a customer of ours.</mj-text>
      </mj-column>
    </mj-section>
  </mj-body>
</mjml>
`,
  PARTIAL: "Acorn Shop, 1 High Street\n",
};

/** Return a mail's body in which a part can be seen. */
export function exampleAround(kind: PartKind, name: string, body: string): string {
  if (kind === "LAYOUT") {
    return '<mj-section background-color="#ffffff"><mj-column><mj-text>The body of the mail stands here.</mj-text></mj-column></mj-section>';
  }
  const call = `{{> ${name}}}`;
  if (/<mj-(?:section|wrapper|hero)\b/.test(body)) {
    return `<mjml><mj-body>${call}</mj-body></mjml>`;
  }
  const piece = /<mj-/.test(body) ? call : `<mj-text>${call}</mj-text>`;
  return `<mjml><mj-body><mj-section><mj-column>${piece}</mj-column></mj-section></mj-body></mjml>`;
}
