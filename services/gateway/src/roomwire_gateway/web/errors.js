// Owns: the one error that the page shows to users.
// Must not: know HTTP, sockets or the DOM. HTTP calls and socket calls translate their own failures into this error.

/** A request that was not fulfilled. `message` is a sentence for the user; `code` is the server's, or one of those below. */
export class Refusal extends Error {
  constructor({ code = "internal", message = "Something went wrong.", retryable = false } = {}) {
    super(message);
    this.code = code;
    this.retryable = retryable;
  }
}

/** No answer came: whether the request took effect is unknown. */
export class NoAnswer extends Refusal {
  constructor(message) {
    super({ code: "no_answer", message, retryable: true });
  }
}
