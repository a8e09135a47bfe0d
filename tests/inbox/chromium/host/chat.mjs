// The page of a chat that shows one view, by the official bridge. The MCP client is the test's: it gives this page
// the function `asked`, which answers a request of the view.
import { AppBridge, PostMessageTransport } from "@modelcontextprotocol/ext-apps/app-bridge";

const frame = document.querySelector("iframe");

/** The first event of this name. */
const once = (bridge, name) => new Promise((resolve) => bridge.addEventListener(name, resolve));

/** Show a view, and send it the call that opened it. */
window.show = async ({ html, proxy, capabilities, context, input, result }) => {
  const bridge = new AppBridge(null, { name: "chat", version: "1" }, capabilities, { hostContext: context });
  bridge.oncalltool = (params) => window.asked("tools/call", params);
  bridge.onreadresource = (params) => window.asked("resources/read", params);
  if (capabilities.openLinks) bridge.onopenlink = (params) => window.asked("ui/open-link", params);
  if (capabilities.downloadFile) bridge.ondownloadfile = (params) => window.asked("ui/download-file", params);
  bridge.onrequestdisplaymode = async ({ mode }) => {
    frame.className = mode;
    window.change({ displayMode: mode });
    return { mode };
  };
  bridge.addEventListener("sizechange", ({ height }) => {
    if (height) frame.style.height = `${height}px`;
  });
  window.change = (changed) => bridge.setHostContext((context = { ...context, ...changed }));
  window.tearDown = () => bridge.teardownResource({});

  const ready = once(bridge, "sandboxready");
  const initialized = once(bridge, "initialized");
  await bridge.connect(new PostMessageTransport(frame.contentWindow, frame.contentWindow));
  frame.src = proxy;
  await ready;
  await bridge.sendSandboxResourceReady({ html });
  await initialized;
  await bridge.sendToolInput({ arguments: input });
  await bridge.sendToolResult(result);
};
