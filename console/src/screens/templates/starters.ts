import type { Channel, Variables } from "./data";

/** What a new template begins with. */
export interface Starter {
  name: string;
  text: string;
  channel: Channel;
  subject: string;
  preheader: string;
  body: string;
  sample: Variables;
}

const SHIPPED: Variables = {
  name: "Ada",
  orderId: "W-1042",
  trackingUrl: "https://shop.example/track/W-1042",
};
const RECEIPT: Variables = {
  name: "Ada",
  orderId: "W-1042",
  total: 129.5,
  currency: "EUR",
  items: [
    { name: "Walnut lamp", quantity: 1 },
    { name: "Linen shade", quantity: 2 },
  ],
};

/** Return the starters of a channel; the first one is the usual choice. */
export function startersOf(channel: Channel): Starter[] {
  return STARTERS.filter((one) => one.channel === channel);
}

const STARTERS: readonly Starter[] = [
  {
    name: "Text and a button",
    text: "A whole mail: a heading, a paragraph and a button that leads somewhere. Right for most messages.",
    channel: "EMAIL",
    subject: "Your order {{orderId}} is on its way",
    preheader: "Follow it to your door.",
    body: `<mjml>
  <mj-head>
    <mj-attributes>
      <mj-all font-family="Helvetica, Arial, sans-serif" />
      <mj-text font-size="16px" line-height="1.5" color="#222222" />
    </mj-attributes>
  </mj-head>
  <mj-body background-color="#f4f4f2">
    <mj-section background-color="#ffffff" padding="32px 24px">
      <mj-column>
        <mj-text font-size="22px" font-weight="bold">Hello {{default name "there"}}</mj-text>
        <mj-text>Your order {{orderId}} has left our warehouse.</mj-text>
        <mj-button href="{{trackingUrl}}" background-color="#9a3f08">Follow your order</mj-button>
      </mj-column>
    </mj-section>
  </mj-body>
</mjml>
`,
    sample: SHIPPED,
  },
  {
    name: "Table with a total",
    text: "A whole mail with one row for each item of a list, such as a receipt.",
    channel: "EMAIL",
    subject: "Receipt for order {{orderId}}",
    preheader: "{{formatCurrency total currency}} in total",
    body: `<mjml>
  <mj-head>
    <mj-attributes>
      <mj-all font-family="Helvetica, Arial, sans-serif" />
      <mj-text font-size="16px" line-height="1.5" color="#222222" />
    </mj-attributes>
  </mj-head>
  <mj-body background-color="#f4f4f2">
    <mj-section background-color="#ffffff" padding="32px 24px">
      <mj-column>
        <mj-text font-size="22px" font-weight="bold">Thank you, {{default name "friend"}}</mj-text>
        <mj-table>
          {{#each items}}
          <tr>
            <td>{{name}}</td>
            <td align="right">{{quantity}}</td>
          </tr>
          {{else}}
          <tr><td>Nothing was ordered.</td></tr>
          {{/each}}
        </mj-table>
        <mj-text font-weight="bold">Total: {{formatCurrency total currency}}</mj-text>
      </mj-column>
    </mj-section>
  </mj-body>
</mjml>
`,
    sample: RECEIPT,
  },
  {
    name: "Part inside a layout",
    text: "Only the middle of a mail. Choose one of your layouts for its header and footer.",
    channel: "EMAIL",
    subject: 'News for {{default name "you"}}',
    preheader: "",
    body: `<mj-section>
  <mj-column>
    <mj-text>Hello {{default name "there"}}</mj-text>
  </mj-column>
</mj-section>
`,
    sample: { name: "Ada" },
  },
  {
    name: "Text with a link",
    text: "A text message that fits into one segment, the unit that is billed.",
    channel: "SMS",
    subject: "",
    preheader: "",
    body: "Order {{orderId}} is on its way. Follow it: {{trackingUrl}}\n",
    sample: { orderId: "W-1042", trackingUrl: "https://shop.example/t/W-1042" },
  },
  {
    name: "Title and a sentence",
    text: "A notification in the inbox of your users.",
    channel: "PUSH",
    subject: "Order {{orderId}}",
    preheader: "",
    body: 'It is on its way, {{default name "and soon with you"}}.\n',
    sample: { name: "Ada", orderId: "W-1042" },
  },
];

/** Data for the platform's own templates, which all have the same two variables. */
export const PLATFORM_SAMPLE: Variables = {
  title: "This is a test",
  message: "If you can read it, this channel works.",
};
