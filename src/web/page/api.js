// SPDX-License-Identifier: BSD-3-Clause
// Asks dripd for data, and knows how old what is shown is.

const PATIENCE_MS = 5000;
/** Steps are two seconds apart: one that is older has not been followed by another. */
const STALE_MS = 9000;

/** `status` 0: there was no answer. */
export class ApiError extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

/** `parameters`: pairs of name and value. */
export async function get(name, parameters = []) {
  const query = parameters
    .map(([key, value]) => `${key}=${encodeURIComponent(value)}`)
    .join("&");
  let response, answer;
  try {
    response = await fetch(`/api/${name}${query ? `?${query}` : ""}`, {
      signal: AbortSignal.timeout(PATIENCE_MS),
      cache: "no-store",
    });
    answer = await response.json();
  } catch (error) {
    const late = error.name === "TimeoutError";
    throw new ApiError(0, late ? `no answer within ${PATIENCE_MS / 1000} s` : "cannot connect");
  }
  if (!response.ok) throw new ApiError(response.status, answer.error ?? response.statusText);
  return answer;
}

/** What becomes of the page's connection: live, stale (dripd records nothing), unreachable. */
export class Connection {
  state = "waiting";
  reason = "";
  lastAnswer = null; // By this browser's clock.
  lastStep = null; // By dripd's clock.

  answered(node) {
    this.lastAnswer = Date.now();
    this.lastStep = node.step_ms;
    this.reason = "";
    this.state = node.step_ms === null || node.now_ms - node.step_ms > STALE_MS ? "stale" : "live";
  }

  failed(error) {
    this.state = "unreachable";
    this.reason = error.message;
  }
}
