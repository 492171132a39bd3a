// Owns: the one error that the page shows to people.
// Must not: know HTTP, sockets or the DOM. Both wires translate their own failures into this, once, where they happen.

/** A request that was not fulfilled. `message` is a sentence for the user; `code` is the server's, or one of ours below. */
export class Refusal extends Error {
  constructor({ code = "internal", message = "Something went wrong.", retryable = false } = {}) {
    super(message);
    this.code = code;
    this.retryable = retryable;
  }
}

/** Nobody answered: whether the request took effect is unknown. */
export class NoAnswer extends Refusal {
  constructor(message) {
    super({ code: "no_answer", message, retryable: true });
  }
}
