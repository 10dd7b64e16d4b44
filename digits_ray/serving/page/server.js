// What is asked of the server.

export class Refusal extends Error {
  constructor(status, message) { super(message); this.status = status; }
}

export function headers(type) {
  const token = sessionStorage.getItem("token");
  return { ...(type && { "Content-Type": type }), ...(token && { Authorization: `Bearer ${token}` }) };
}

// Returns the answer, parsed; throws Refusal with a sentence for the reader.
export async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Refusal(0, "The server does not answer. This page tries again.");
  }
  const isJson = (response.headers.get("Content-Type") || "").startsWith("application/json");
  const answer = isJson ? await response.json() : { error: await response.text() };
  if (!response.ok) throw new Refusal(response.status, sentence(answer.error || `Error ${response.status}.`));
  return answer;
}

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);
