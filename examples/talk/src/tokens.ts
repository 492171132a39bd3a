// The tokens of a guest: the auth service issues them, and exchanges the refresh token for new ones.
export interface Grant {
  access_token: string;
  refresh_token: string;
  expires_in: number;
}

export class Denied extends Error {}

export const signIn = (name: string) => post("/auth/guest", { name });
export const refresh = (grant: Grant) => post("/auth/refresh", { refresh_token: grant.refresh_token });

async function post(path: string, body: object): Promise<Grant> {
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
  if (answer.ok) return answer.json();
  const { error } = await answer.json();
  // What another attempt may change is no refusal.
  throw error.retryable ? new Error(error.message) : new Denied(error.message);
}
