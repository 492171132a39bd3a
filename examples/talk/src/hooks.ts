import { useEffect, useState } from "react";
import { io, type Socket } from "socket.io-client";
import type { Auth, ClientToServerEvents, Question, ServerToClientEvents } from "./events";
import { Denied, refresh, type Grant } from "./tokens";

export type TalkSocket = Socket<ServerToClientEvents, ClientToServerEvents>;

const RETRY_MS = 2_000;
const HALF_MS = 500;

// One socket for the page. Each connect sends the newest token.
let token = "";
export const socket: TalkSocket = io({ autoConnect: false, auth: (send) => send({ token } satisfies Auth) });

// What the page says of its connection.
export function useConnection(): string {
  const [state, setState] = useState("connecting");
  useEffect(() => {
    // The id of a transport begins with the name of its gateway.
    const connected = () =>
      setState(`connected to ${socket.io.engine.id.split(".")[0]}, session ${socket.recovered ? "recovered" : "new"}`);
    const failed = (error: Error) => setState(`not connected: ${error.message}`);
    const ended = (reason: string) => setState(`not connected: ${reason}`);
    socket.on("connect", connected).on("connect_error", failed).on("disconnect", ended);
    return () => void socket.off("connect", connected).off("connect_error", failed).off("disconnect", ended);
  }, []);
  return state;
}

// The questions: those of the history, then those that arrive. A session that goes on has missed none.
export function useQuestions(): Question[] {
  const [questions, setQuestions] = useState<Question[]>([]);
  useEffect(() => {
    const add = (...added: Question[]) =>
      setQuestions((known) => [...new Map([...known, ...added].map((question) => [question.id, question])).values()]);
    const asked = (question: Question) => add(question);
    const load = () => {
      if (socket.recovered) return;
      socket.emit("questions", (answer) => {
        if (!("error" in answer)) add(...answer);
      });
    };
    socket.on("asked", asked).on("connect", load);
    return () => void socket.off("asked", asked).off("connect", load);
  }, []);
  return questions;
}

// Connects with the token of a guest, and renews it when half of its life is over; returns until when the client may stay.
export function useSession(guest: Grant, onEnd: () => void): string {
  const [grant, setGrant] = useState(guest);
  const [until, setUntil] = useState("");
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout>;
    const tell = () => {
      // Without a connection there is nothing to renew: the next connect sends the token.
      if (!socket.active) return void socket.connect();
      if (!socket.connected) return;
      socket.emit("refreshToken", { token }, (answer) => {
        if (!("error" in answer)) setUntil(answer.expiresAt);
        else if (answer.error.retryable) timer = setTimeout(tell, RETRY_MS);
      });
    };
    const renew = async () => {
      try {
        setGrant(await refresh(grant));
      } catch (error) {
        if (!(error instanceof Denied)) return void (timer = setTimeout(renew, RETRY_MS));
        socket.disconnect();
        onEnd();
      }
    };
    token = grant.access_token;
    tell();
    const half = setTimeout(renew, grant.expires_in * HALF_MS);
    return () => [half, timer].forEach(clearTimeout);
  }, [grant]);
  return until;
}
