// A receiver of webhooks made of other people's libraries: `standardwebhooks` verifies each request, `cloudevents` reads it.
// Prints its port, then one JSON line a request. ANSWERS=503,200 is what it answers first; afterwards always 200.
import { createServer } from "node:http";
import { HTTP } from "cloudevents";
import { Webhook } from "standardwebhooks";

const webhook = new Webhook(process.env.SECRET);
const answers = (process.env.ANSWERS ?? "").split(",").filter(Boolean).map(Number);

const server = createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    const body = Buffer.concat(parts).toString("utf8");
    const line = { path: request.url, method: request.method, id: request.headers["webhook-id"] };
    try {
      webhook.verify(body, request.headers);
      const event = HTTP.toEvent({ headers: request.headers, body });
      event.validate();
      line.event = JSON.parse(event.toString());
    } catch (error) {
      line.error = String(error);
    }
    line.status = answers.length ? answers.shift() : 200;
    console.log(JSON.stringify(line));
    const headers = line.status >= 300 && line.status < 400 ? { location: "/elsewhere" } : { "retry-after": "1" };
    response.writeHead(line.status, headers).end();
  });
});
server.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ port: server.address().port })));
