"use strict";

// Everything is made with elements and text nodes: nothing of the document or of an answer is read as HTML.

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

let api;

function resolved(node) {
  if (!node || !node.$ref) return node;
  return node.$ref.slice(2).split("/").reduce((place, name) => place[name.replaceAll("~1", "/").replaceAll("~0", "~")], api);
}

// A schema in a few words: "text, 1 to 200 characters".
function described(schema) {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.anyOf) return schema.anyOf.map(described).join(" or ");
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(", ");
  if (schema.type === "array") return `list of ${described(schema.items)}`;
  const words = [schema.format ?? schema.type ?? "anything"];
  if (schema.maxLength !== undefined) words.push(`${schema.minLength ?? 0} to ${schema.maxLength} characters`);
  if (schema.minimum !== undefined) words.push(`${schema.minimum} to ${schema.maximum}`);
  if (schema.default !== undefined) words.push(`default ${JSON.stringify(schema.default)}`);
  return words.join(", ");
}

function table(headings, rows) {
  const head = element("tr", {}, ...headings.map((text) => element("th", { scope: "col" }, text)));
  const body = rows.map((row) => element("tr", {}, ...row.map((cell) => element("td", {}, cell))));
  return element("table", {}, element("thead", {}, head), element("tbody", {}, ...body));
}

function membersOf(schema) {
  const object = resolved(schema);
  if (!object || !object.properties) return "";
  const required = new Set(object.required ?? []);
  return table(
    ["member", "value", ""],
    Object.entries(object.properties).map(([name, member]) => [
      element("code", {}, name),
      described(member),
      member.readOnly ? "chosen by the service" : required.has(name) ? "required" : "",
    ]),
  );
}

// One control of a form; its value is a string, empty for absent.
function control(id, label, note, schema, value) {
  let field;
  if (schema?.enum) {
    field = element("select", { id }, element("option", { value: "" }, ""));
    for (const choice of schema.enum) field.append(element("option", { value: choice }, choice));
  } else {
    field = element("input", { id, autocomplete: "off", spellcheck: "false" });
  }
  field.value = value ?? "";
  return [element("label", { for: id }, element("code", {}, label), " ", element("span", { class: "quiet" }, note), field), field];
}

// Single quotes for a POSIX shell.
function quoted(text) {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function curl(request) {
  const words = ["curl -i"];
  if (request.method !== "GET") words.push(`-X ${request.method}`);
  for (const [name, value] of Object.entries(request.headers)) words.push(`-H ${quoted(`${name}: ${value}`)}`);
  if (request.body !== undefined) words.push(`-d ${quoted(request.body)}`);
  words.push(quoted(request.url));
  return words.join(" ");
}

function readable(text) {
  try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
}

async function send(request, output) {
  output.replaceChildren(element("p", { class: "quiet" }, "Waiting for the answer …"));
  try {
    const { url, ...options } = request;
    const began = performance.now();
    const answer = await fetch(url, { ...options, cache: "no-store" });
    const text = await answer.text();
    const lines = [...answer.headers].map(([name, value]) => `${name}: ${value}`);
    output.replaceChildren(
      element("p", { class: answer.ok ? "" : "bad" }, `${answer.status} ${answer.statusText}, ${Math.round(performance.now() - began)} ms`),
      element("pre", { tabindex: "0" }, `${lines.join("\n")}\n\n${readable(text)}`),
    );
  } catch (error) {
    output.replaceChildren(element("p", { class: "bad" }, `There is no answer: ${error.message}`));
  }
}

function form(base, path, method, operation) {
  const made = element("form", {});
  const fields = [];
  for (const parameter of (operation.parameters ?? []).map(resolved)) {
    const note = [parameter.in, parameter.required ? "required" : "", described(parameter.schema), parameter.description ?? ""];
    const value = parameter.in === "path" ? parameter.example : undefined;
    const id = `${operation.operationId}-${parameter.in}-${parameter.name}`;
    const [label, field] = control(id, parameter.name, note.filter(Boolean).join(" · "), parameter.schema, value);
    made.append(label);
    fields.push([parameter, field]);
  }
  let body;
  const [type, content] = Object.entries(operation.requestBody?.content ?? {})[0] ?? [];
  if (content) {
    body = element("textarea", { id: `${operation.operationId}-body`, spellcheck: "false" });
    body.value = JSON.stringify(content.example ?? {}, null, 2);
    made.append(element("label", { for: body.id }, "Body ", element("span", { class: "quiet" }, type), body));
  }
  const request = () => {
    let target = path;
    const query = new URLSearchParams();
    const headers = {};
    for (const [parameter, field] of fields) {
      if (parameter.in === "path") target = target.replace(`{${parameter.name}}`, encodeURIComponent(field.value));
      else if (field.value === "") continue;
      else if (parameter.in === "query") query.append(parameter.name, field.value);
      else headers[parameter.name] = field.value;
    }
    if (body) headers["Content-Type"] = type;
    const text = query.toString();
    const url = new URL(base + target + (text ? `?${text}` : ""), location.href).href;
    return { method: method.toUpperCase(), url, headers, ...(body ? { body: body.value } : {}) };
  };
  const command = element("pre", { tabindex: "0", "aria-label": "The request for curl" });
  const output = element("div", { "aria-live": "polite" });
  const update = () => { command.textContent = curl(request()); };
  const copy = element("button", { type: "button" }, "Copy curl");
  copy.addEventListener("click", () => navigator.clipboard?.writeText(command.textContent));
  made.addEventListener("input", update);
  made.addEventListener("submit", (event) => {
    event.preventDefault();
    send(request(), output);
  });
  made.append(element("button", { type: "submit" }, "Send"), copy, command, output);
  update();
  return made;
}

function answers(operation) {
  return table(
    ["status", "answer", "content"],
    Object.entries(operation.responses).map(([status, answer]) => {
      const shown = resolved(answer);
      const [type, content] = Object.entries(shown.content ?? {})[0] ?? ["none"];
      return [status, shown.description, content ? `${type}: ${described(content.schema)}` : type];
    }),
  );
}

function shown(base, path, method, operation) {
  const details = element("details", { id: operation.operationId });
  details.append(
    element("summary", {}, element("span", { class: "method" }, method.toUpperCase()), element("code", {}, path), ` ${operation.summary}`),
  );
  // Made when it is opened: a page of many operations stays quick.
  details.addEventListener("toggle", () => {
    if (!details.open || details.children.length > 1) return;
    const [, content] = Object.entries(operation.requestBody?.content ?? {})[0] ?? [];
    const inside = element("div", {}, form(base, path, method, operation));
    if (content) inside.append(element("h3", {}, "Body"), membersOf(content.schema));
    inside.append(element("h3", {}, "Answers"), answers(operation));
    details.append(inside);
  });
  return details;
}

function open() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) target.open = true;
}

async function load() {
  const main = document.getElementById("operations");
  try {
    const answer = await fetch("openapi.json");
    if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
    api = await answer.json();
  } catch (error) {
    main.replaceChildren(element("p", { class: "bad" }, `The document cannot be read: ${error.message}`));
    return;
  }
  document.title = `${api.info.title} ${api.info.version}`;
  document.getElementById("title").textContent = document.title;
  document.getElementById("description").textContent = api.info.description ?? "";
  const base = api.servers[0].url.replace(/\/$/, "");
  const list = element("ul", {});
  main.replaceChildren();
  for (const { name } of api.tags) {
    const section = element("section", {}, element("h2", {}, name));
    for (const [path, methods] of Object.entries(api.paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        if (!operation.tags.includes(name)) continue;
        section.append(shown(base, path, method, operation));
        list.append(element("li", {}, element("a", { href: `#${operation.operationId}` }, operation.summary)));
      }
    }
    main.append(section);
  }
  document.getElementById("contents").replaceChildren(list);
  addEventListener("hashchange", open);
  open();
}

load();
