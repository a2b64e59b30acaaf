// The form: its fields come from the server's OpenAPI document, its answers from the routes that it names.

import { FRONTS, curl, drawContributions, drawDecision, element, laidOut, short } from "./answer.js";

const LARGEST = 3.4e38; // beyond it a bound is that of 32 bits, and no news
const part = (id) => document.getElementById(id);
let document_, model, exampleAt;

async function begin() {
  try {
    const response = await fetch("openapi.json");
    if (!response.ok) throw new Error(`openapi.json answered with ${response.status}`);
    document_ = await response.json();
  } catch (error) {
    return trouble(`What this server offers could not be read: ${error.message}. Load the page again.`);
  }
  const { endpoint, recorded, models } = document_["x-trivet"];
  part("endpoint").textContent = `Endpoint ${endpoint}`;
  part("version").textContent = `Trivet ${document_.info.version}`;
  part("recorded").hidden = !recorded;
  if (!models.length) return trouble("No model is loaded yet. Load the page again in a moment.");
  part("model").replaceChildren(...models.map(({ name }) => element("option", { value: name }, name)));
  part("models").hidden = models.length === 1;
  part("model").addEventListener("change", () => choose(models));
  part("form").addEventListener("submit", (event) => { event.preventDefault(); void send(); });
  part("example").addEventListener("click", fill);
  part("clear").addEventListener("click", clear);
  part("copy").addEventListener("click", copy);
  part("sides").hidden = false;
  choose(models);
}

function trouble(sentence) {
  part("trouble").textContent = sentence;
  part("trouble").hidden = false;
}

/** Show the form of a model. */
function choose(models) {
  const chosen = models.find(({ name }) => name === part("model").value);
  const row = document_.components.schemas[chosen.row];
  const inputs = Object.entries(row.properties).map(([name, schema]) => input(name, schema));
  model = { ...chosen, inputs, examples: row.examples, alone: models.length === 1 };
  exampleAt = 0;
  document.title = `Try ${model.name}`;
  part("title").textContent = `Try ${model.name}`;
  part("fields").replaceChildren(...inputs.map(field));
  const there = Object.entries(FRONTS).filter(([, { front }]) => front in model.routes);
  part("front").replaceChildren(...there.map(([key, { title }]) => element("option", { value: key }, title)));
  part("ask").hidden = !model.contributions;
  for (const each of ["send", "example"]) part(each).disabled = !there.length;
  if (!there.length) trouble("Of the protocols that are on, none has a route for this model.");
  forget();
}

function input(name, schema) {
  const types = [schema.type].flat();
  return { name, schema, text: types.includes("string"), whole: types.includes("integer"), nullable: types.includes("null") };
}

function field(each, at) {
  const { name, schema, text, whole, nullable } = each;
  const id = `field-${at}`;
  const common = { id, name, "aria-describedby": `${id}-hint` };
  if (schema.enum) {
    const values = schema.enum.filter((value) => value !== null).map(String);
    const options = ["", ...values].map((value) => element("option", { value }, value));
    each.control = element("select", common, ...options);
  } else if (text) {
    each.control = element("input", { type: "text", spellcheck: false, ...common });
  } else {
    const bounds = { ...(bounded(schema.minimum) && { min: schema.minimum }), ...(bounded(schema.maximum) && { max: schema.maximum }) };
    const inputMode = schema.minimum >= 0 ? (whole ? "numeric" : "decimal") : "text";
    each.control = element("input", { type: "number", step: whole ? "1" : "any", inputMode, ...common, ...bounds });
  }
  each.control.required = !nullable;
  each.control.addEventListener("input", () => each.control.removeAttribute("aria-invalid"));
  const hint = element("small", { id: `${id}-hint` }, hintOf(each));
  return element("div", { className: "field" }, element("label", { htmlFor: id }, name), each.control, hint);
}

const bounded = (bound) => Math.abs(bound) < LARGEST;

function hintOf({ schema, text, whole, nullable }) {
  const words = [];
  if (!schema.enum) {
    const [low, high] = [bounded(schema.minimum), bounded(schema.maximum)];
    if (!text) words.push(whole ? "whole number" : "number");
    if (low && high) words.push(`${schema.minimum} to ${schema.maximum}`);
    else if (low) words.push(`at least ${schema.minimum}`);
    else if (high) words.push(`at most ${schema.maximum}`);
    if (text) words.push("text");
  }
  if (nullable) words.push("may be empty");
  const said = words.join(", ");
  return said.charAt(0).toUpperCase() + said.slice(1);
}

/** Fill in a row that the model package has an answer for; another one at each turn. */
function fill() {
  const row = model.examples[exampleAt++ % model.examples.length];
  for (const { name, control } of model.inputs) {
    control.value = row[name] === null ? "" : String(row[name]);
    control.removeAttribute("aria-invalid");
  }
}

function clear() {
  for (const { control } of model.inputs) {
    control.value = "";
    control.removeAttribute("aria-invalid");
  }
  forget();
  model.inputs[0].control.focus();
}

/** The row as it stands in the form; an empty field is a missing value, but for texts that must be there. */
function row() {
  return Object.fromEntries(
    model.inputs.map(({ name, control, schema, text, nullable }) => {
      const value = control.value;
      if (value === "") return [name, text && !nullable && !schema.enum ? "" : null];
      return [name, text ? value : Number(value)];
    }),
  );
}

async function send() {
  const button = part("send");
  if (button.getAttribute("aria-busy") === "true") return;
  const unread = model.inputs.find(({ control }) => control.validity.badInput);
  if (unread) return refuse("Not sent", `What stands in ${unread.name} is no number.`, unread.name);
  const way = FRONTS[part("front").value];
  const contributions = model.contributions && part("contributions").checked;
  const request = way.ask(model, row(), contributions);
  const url = new URL(`.${model.routes[way.front]}`, document.baseURI);
  button.setAttribute("aria-busy", "true");
  const start = performance.now();
  try {
    const response = await fetch(url, { method: "POST", headers: request.headers, body: request.body });
    const text = await response.text();
    show(way, { url, request, response, text, milliseconds: performance.now() - start });
  } catch {
    refuse("No answer", "The server could not be reached, or the connection broke.");
    part("more").hidden = true;
  } finally {
    button.removeAttribute("aria-busy");
  }
}

function show(way, { url, request, response, text, milliseconds }) {
  part("reasons").replaceChildren();
  if (response.ok) {
    const answer = way.read(model, text);
    for (const { control } of model.inputs) control.removeAttribute("aria-invalid");
    part("said").replaceChildren(...drawDecision(answer, model.decision));
    part("reasons").replaceChildren(...drawContributions(answer.contributions, model.decision));
  } else {
    const sentence = errorOf(text);
    refuse(`Status ${response.status}`, sentence, inputIn(sentence));
  }
  const told = (name) => response.headers.get(name) ?? "";
  const facts = [
    ["Round trip", `${short(milliseconds)} ms`],
    ["Status", String(response.status)],
    ["Model", told("trivet-model")],
    ["Request", told("x-request-id"), "wide"],
    ["Package", told("trivet-package"), "wide"],
  ];
  part("facts").replaceChildren(...facts.filter(([, value]) => value).map(fact));
  part("curl").textContent = curl(url.href, request);
  part("request").textContent = message(`POST ${url.pathname}`, Object.entries(request.headers), request.body);
  part("response").textContent = message(`HTTP ${response.status}`, [...response.headers], text);
  part("copied").textContent = "";
  part("more").hidden = false;
  const { top } = part("answer").getBoundingClientRect();
  if (top < 0 || top > innerHeight * 0.7) part("answer").scrollIntoView();
}

function fact([name, value, size]) {
  const shown = size ? element("code", {}, value) : value;
  return element("div", { className: size ?? "" }, element("dt", {}, name), element("dd", { id: `fact-${name}` }, shown));
}

function message(first, headers, body) {
  return [first, ...headers.map(([name, value]) => `${name}: ${value}`), "", laidOut(body)].join("\n");
}

/** What the server said is wrong, and at which field. */
function refuse(status, sentence, name) {
  part("said").replaceChildren(
    element("div", { className: "refusal", id: "refusal" },
      element("p", { className: "status" }, status), element("p", { id: "sentence" }, sentence)),
  );
  part("reasons").replaceChildren();
  for (const { name: own, control } of model.inputs) {
    if (own === name) control.setAttribute("aria-invalid", "true");
    else control.removeAttribute("aria-invalid");
  }
}

function errorOf(text) {
  try {
    return JSON.parse(text).error;
  } catch {
    return text;
  }
}

const inputIn = (sentence) => model.inputs.map(({ name }) => name).find((name) => sentence.includes(`input ${name} `));

function forget() {
  part("said").replaceChildren(element("p", { className: "muted", id: "nothing" },
    "Nothing was sent yet. Fill in the row, or take an example, and press Decide."));
  part("reasons").replaceChildren();
  part("more").hidden = true;
}

async function copy() {
  try {
    await navigator.clipboard.writeText(part("curl").textContent);
    part("copied").textContent = "Copied.";
  } catch {
    getSelection().selectAllChildren(part("curl"));
    part("copied").textContent = "Selected: copy it with the keyboard.";
  }
}

void begin();
