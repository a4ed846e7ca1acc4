// Runs each action of standard input with Tencent's Node SDK; tests/tools/nodesdk.py drives it.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";

const require = createRequire(`${process.env.NODE_HOME}/`);
const { CommonClient } = require("tencentcloud-sdk-nodejs-common");

const { port, key, actions } = JSON.parse(readFileSync(0, "utf8"));

// The SDK reads the product from the host's name, and signs that name without a port: the real
// names are used, and every connection goes to the emulated cloud.
class Loopback extends http.Agent {
  createConnection() {
    return net.connect(port, "127.0.0.1");
  }
}
const agent = new Loopback();
const answers = {};
for (const { api, product, version, region, method, sign, params } of actions) {
  const client = new CommonClient(`${product}.tencentcloudapi.com`, version, {
    credential: { secretId: "AKIDNODE", secretKey: key },
    region,
    profile: {
      signMethod: sign,
      httpProfile: { protocol: "http://", reqMethod: method, agent },
    },
  });
  try {
    await client.request(api, params);
    answers[`${method} ${sign} ${product}.${api}`] = "";
  } catch (error) {
    answers[`${method} ${sign} ${product}.${api}`] = error.code ?? String(error);
  }
}
console.log(JSON.stringify(answers));
