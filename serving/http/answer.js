// The protocols, from a row to a request and from a response to an answer; and what of it is drawn. Text only ever
// enters the page as text.

const LINE = 60; // characters
const json = { "Content-Type": "application/json" };

/** Every way to ask: the front that must be on, its name, and both directions. */
export const FRONTS = {
  v2: { front: "v2", title: "Open Inference Protocol", ask: askTensors, read: readTensors },
  v1: { front: "v1", title: "KServe v1", ask: askInstances, read: readPredictions },
  vertex: { front: "vertex", title: "Vertex AI", ask: askInstances, read: readPredictions },
  azure: { front: "azure", title: "Azure ML", ask: askTable, read: readPredictions },
  sagemaker: { front: "sagemaker", title: "SageMaker, JSON", ask: askSageMaker, read: readPredictions },
  lines: { front: "sagemaker", title: "SageMaker, JSON lines", ask: askLines, read: readLines },
  csv: { front: "sagemaker", title: "SageMaker, CSV", ask: askCsv, read: readCsv },
};

function askTensors(model, row, contributions) {
  const inputs = model.inputs.map(({ name, text }) => ({
    name,
    shape: [1, 1],
    datatype: text ? "BYTES" : "FP32",
    data: [row[name]],
  }));
  const names = contributions ? ["score", "decision", "contributions"] : [];
  const outputs = names.length ? { outputs: names.map((name) => ({ name })) } : {};
  return { headers: json, body: JSON.stringify({ inputs, ...outputs }) };
}

function askInstances(model, row, contributions) {
  const parameters = contributions ? { parameters: { contributions } } : {};
  return { headers: json, body: JSON.stringify({ instances: [row], ...parameters }) };
}

function askTable(model, row, contributions) {
  const parameters = contributions ? { parameters: { contributions } } : {};
  const columns = model.inputs.map(({ name }) => name);
  const table = { columns, data: [columns.map((name) => row[name])] };
  return { headers: json, body: JSON.stringify({ input_data: table, ...parameters }) };
}

function askSageMaker(model, row, contributions) {
  return { headers: { ...json, ...attributes(model, contributions) }, body: JSON.stringify({ instances: [row] }) };
}

function askLines(model, row, contributions) {
  const type = "application/jsonlines";
  const headers = { "Content-Type": type, Accept: type, ...attributes(model, contributions) };
  return { headers, body: JSON.stringify(row) + "\n" };
}

function askCsv(model, row, contributions) {
  const cells = model.inputs.map(({ name }) => cell(row[name]));
  const headers = { "Content-Type": "text/csv", Accept: "text/csv", ...attributes(model, contributions) };
  return { headers, body: cells.join(",") + "\n" };
}

function attributes(model, contributions) {
  return {
    ...(contributions ? { "X-Amzn-SageMaker-Custom-Attributes": "contributions=true" } : {}),
    ...(model.alone ? {} : { "X-Amzn-SageMaker-Target-Model": model.name }),
  };
}

function cell(value) {
  const text = value === null ? "" : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function readTensors(model, text) {
  const response = JSON.parse(text);
  const outputs = Object.fromEntries(response.outputs.map((output) => [output.name, output.data]));
  return answer(model, outputs.score[0], outputs.decision[0], outputs.contributions);
}

function readPredictions(model, text) {
  return prediction(model, JSON.parse(text).predictions[0]);
}

function readLines(model, text) {
  return prediction(model, JSON.parse(text.split("\n")[0]));
}

function readCsv(model, text) {
  const cells = [...text.trim().matchAll(/("(?:[^"]|"")*"|[^,]*)(?:,|$)/g)].map((match) => match[1]);
  const [score, decision, ...parts] = cells.slice(0, 2 + model.inputs.length).map((one) =>
    one.startsWith('"') ? one.slice(1, -1).replaceAll('""', '"') : one,
  );
  const given = parts.filter((part) => part !== "");
  return answer(model, Number(score), decision, given.length ? given.map(Number) : undefined);
}

function prediction(model, { score, decision, contributions }) {
  return answer(model, score, decision, contributions && model.inputs.map(({ name }) => contributions[name]));
}

function answer(model, score, decision, parts) {
  const contributions = (parts ?? []).map((value, at) => ({ name: model.inputs[at].name, value }));
  return { score, decision, contributions };
}

/** The request as a command for a shell. */
export function curl(url, { headers, body }) {
  const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;
  const fields = Object.entries(headers).map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`);
  return [`curl -sS ${quoted(url)}`, ...fields, `--data-raw ${quoted(body)}`].join(" \\\n  ");
}

/** JSON in lines that are not too long; its tokens stay as they came. Anything else is left alone. */
export function laidOut(text) {
  try {
    JSON.parse(text);
  } catch {
    return text;
  }
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g);
  return part(tokens[Symbol.iterator]());
}

function part(tokens) {
  const first = tokens.next().value;
  if (first !== "{" && first !== "[") return first;
  const items = [];
  for (let item = part(tokens); item !== "}" && item !== "]"; item = part(tokens)) {
    if (item === ":") items.push(`${items.pop()}: ${part(tokens)}`);
    else if (item !== ",") items.push(item);
  }
  const last = first === "{" ? "}" : "]";
  const line = `${first}${items.join(", ")}${last}`;
  if (line.length <= LINE && !line.includes("\n")) return line;
  return `${first}\n${items.join(",\n")}`.replaceAll("\n", "\n  ") + `\n${last}`;
}

/** An element with properties, and children that are elements or text. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** The decision in words, and the score on a scale from 0 to 1 with the threshold on it. */
export function drawDecision({ score, decision }, { threshold, positive }) {
  const side = score >= threshold ? "at or above" : "below";
  const percent = (value) => `${Math.min(100, Math.max(0, value * 100))}%`;
  const fill = element("span", { className: "fill" });
  const bound = element("span", { className: "bound" });
  fill.style.width = percent(score);
  bound.style.left = percent(threshold);
  return [
    element("p", { className: "decision", id: "decision" }, decision),
    element("p", { id: "score" }, `The score, the probability of ${positive}, is ${short(score)}: ${side} the `
      + `threshold ${short(threshold)}.`),
    element("div", { className: "score", "aria-hidden": "true" }, fill, bound),
    element("p", { className: "scale", "aria-hidden": "true" }, element("span", {}, "0"), element("span", {}, "1")),
  ];
}

/** What each input contributed: the largest first, to the right what spoke for a positive decision. */
export function drawContributions(contributions, { positive, negative }) {
  if (!contributions.length) return [];
  const sorted = [...contributions].sort((one, other) => Math.abs(other.value) - Math.abs(one.value));
  const most = Math.abs(sorted[0].value) || 1;
  const rows = sorted.map(({ name, value }) => {
    const bar = element("span", { className: value < 0 ? "against" : "for" });
    bar.style.width = `${(50 * Math.abs(value)) / most}%`;
    return element(
      "tr", {},
      element("th", { scope: "row" }, name),
      element("td", { className: "bars" }, element("div", { className: "bar", "aria-hidden": "true" }, bar)),
      element("td", { className: "n" }, signed(value)),
    );
  });
  const caption = `Contributions to the log-odds: to the right for ${positive}, to the left for ${negative}`;
  return [element("table", {}, element("caption", {}, caption), element("tbody", {}, ...rows))];
}

export function short(value) {
  return String(Number(value.toPrecision(4)));
}

function signed(value) {
  const text = Math.abs(value) >= 0.001 ? Math.abs(value).toFixed(3) : Math.abs(value).toPrecision(1);
  return value < 0 ? `\u2212${text}` : value > 0 ? `+${text}` : "0";
}
