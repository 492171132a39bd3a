// The gateway of answers.py in NestJS.
import { Ack, MessageBody, SubscribeMessage, WebSocketGateway, WsException } from "@nestjs/websockets";
import { concat, from, map, of, throwError } from "rxjs";
import { Fenced } from "./fenced.js";

@WebSocketGateway({ namespace: "answers" })
export class Answers extends Fenced {
  @SubscribeMessage("text")
  text(@MessageBody() text: string) {
    return `Heard ${text}.`;
  }
  @SubscribeMessage("later")
  async later(@MessageBody() text: string) {
    await Promise.resolve();
    return `Heard ${text}.`;
  }
  @SubscribeMessage("echo")
  echo(@MessageBody() body: unknown) {
    return body;
  }
  @SubscribeMessage("false")
  isFalse() {
    return false;
  }
  @SubscribeMessage("null")
  isNull() {
    return null;
  }
  @SubscribeMessage("nothing")
  nothing() {}
  @SubscribeMessage("id")
  id(@MessageBody("id") id: number) {
    return id;
  }
  @SubscribeMessage("pair")
  pair(@MessageBody() [first, second]: [string, number]) {
    return `${first} ${second}`;
  }
  @SubscribeMessage("ack")
  ack(@MessageBody() text: string, @Ack() ack?: (...args: unknown[]) => void) {
    ack?.("received", { text });
  }
  @SubscribeMessage("ack first")
  ackFirst(@Ack() ack: (...args: unknown[]) => void) {
    ack("first");
    return "second";
  }
  @SubscribeMessage("ack never")
  ackNever(@Ack() _: (...args: unknown[]) => void) {
    return "returned";
  }
  @SubscribeMessage("reply")
  reply(@MessageBody() data: unknown) {
    return { event: "answer", data };
  }
  @SubscribeMessage("parts")
  parts() {
    return from([1, 2, 3]).pipe(map((data) => ({ event: "part", data })));
  }
  @SubscribeMessage("values")
  values() {
    return from([1, 2]);
  }
  @SubscribeMessage("torn")
  torn() {
    return concat(of({ event: "part", data: 1 }), throwError(() => new WsException("Torn.")));
  }
  @SubscribeMessage("bytes")
  bytes(@MessageBody() bytes: Buffer) {
    return Buffer.concat([bytes, Buffer.from([255])]);
  }
  @SubscribeMessage("file")
  file() {
    return { name: "a", content: Buffer.from([0, 1]) };
  }
}
