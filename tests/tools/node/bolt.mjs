// An app on Node's Bolt that uses what the emulated workspace serves; tests/tools/nodesdk.py drives it.
import { createRequire } from "node:module";

const require = createRequire(`${process.env.NODE_HOME}/`);
const { App } = require("@slack/bolt");

const http = process.env.PORT !== undefined;
const app = new App({
  token: process.env.SLACK_BOT_TOKEN,
  clientOptions: { slackApiUrl: process.env.SLACK_API_URL },
  ...(http
    ? { signingSecret: process.env.SLACK_SIGNING_SECRET }
    : { socketMode: true, appToken: process.env.SLACK_APP_TOKEN }),
});

const plain = (text) => ({ type: "plain_text", text });
const form = (callback_id, title) => ({
  type: "modal",
  callback_id,
  title: plain(title),
  submit: plain("Send"),
  blocks: [
    {
      type: "input",
      block_id: "reason",
      label: plain("Reason"),
      element: { type: "plain_text_input", action_id: "text" },
    },
  ],
});

app.command("/stopstream", async ({ ack, command, client }) => {
  await ack({ text: `heard ${command.text}`, response_type: "ephemeral" });
  await client.chat.postMessage({
    channel: command.channel_id,
    text: "card",
    blocks: [
      {
        type: "actions",
        elements: [{ type: "button", action_id: "go", value: "1", text: plain("Go") }],
      },
    ],
    metadata: { event_type: "card", event_payload: { key: "k1" } },
  });
});

app.action("go", async ({ ack, body, client, respond }) => {
  await ack();
  await client.views.open({ trigger_id: body.trigger_id, view: form("first", "First") });
  await client.chat.update({ channel: body.channel.id, ts: body.message.ts, text: "pressed" });
  await respond({ text: "noted", replace_original: false, response_type: "ephemeral" });
});

app.view("first", async ({ ack, view }) => {
  const { value } = view.state.values.reason.text;
  if (value === "wrong") await ack({ response_action: "errors", errors: { reason: "No." } });
  else await ack({ response_action: "update", view: form("second", "Second") });
});

app.view("second", async ({ ack }) => ack());

app.event("app_mention", async ({ event, client, say }) => {
  const texts = [];
  for await (const page of client.paginate("conversations.history", {
    channel: event.channel,
    latest: event.ts,
    limit: 2,
  }))
    texts.push(...page.messages.map((message) => message.text));
  const wrong = await client.conversations
    .history({ channel: event.channel, cursor: "wrong" })
    .catch((error) => error.data.error);
  await say({ text: `${texts.length} before; ${wrong}`, thread_ts: event.ts });
});

app.error(async (error) => console.error(error));
await app.start(http ? Number(process.env.PORT) : undefined);
console.log("started");
