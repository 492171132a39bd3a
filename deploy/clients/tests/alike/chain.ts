// The gateway of chain.py in NestJS.
import {
  DefaultValuePipe, ParseArrayPipe, ParseEnumPipe, ParseIntPipe, ParseUUIDPipe, UseFilters, UseGuards, UseInterceptors, ValidationPipe,
} from "@nestjs/common";
import { ConnectedSocket, MessageBody, SubscribeMessage, WebSocketGateway, WsException } from "@nestjs/websockets";
import { IsString } from "class-validator";
import { from } from "rxjs";
import type { Socket } from "socket.io";
import {
  Broken, Everything, LoadCard, Lost, Missing, OfTheClass, OfTheHandler, Role, RoleGuard, Shout, Silent, closed, explaining, healing,
  inside, instead, later, refused, stepping, translating, welcome, wrapping,
} from "./around.js";
import { Fenced } from "./fenced.js";

class Message {
  @IsString() room!: string;
  @IsString() text!: string;
}

enum Color {
  Red = "red",
}

@UseGuards(welcome, stepping("gateway"), RoleGuard)
@UseInterceptors(stepping("gateway"))
@UseFilters(new OfTheClass())
@WebSocketGateway({ namespace: "chain" })
export class Chain extends Fenced {
  @UseGuards(closed)
  @SubscribeMessage("closed")
  closed() {
    return "open";
  }
  @UseGuards(explaining)
  @SubscribeMessage("explained")
  explained() {
    return "open";
  }
  @UseGuards(later)
  @SubscribeMessage("later")
  later() {
    return "open";
  }
  @Role("admin")
  @SubscribeMessage("admin")
  admin() {
    return "open";
  }
  @UseGuards(inside)
  @SubscribeMessage("say")
  say(@MessageBody(new ValidationPipe({ exceptionFactory: () => new WsException("A message has a room and a text.") })) _: Message) {
    return "said";
  }
  @SubscribeMessage("message")
  message(@MessageBody(new ValidationPipe({ whitelist: true })) message: Message) {
    return message;
  }
  @SubscribeMessage("strict")
  strict(@MessageBody(new ValidationPipe({ whitelist: true, forbidNonWhitelisted: true, exceptionFactory: refused })) _: Message) {
    return "fits";
  }
  @SubscribeMessage("messages")
  messages(@MessageBody(new ParseArrayPipe({ items: Message, exceptionFactory: refused })) messages: Message[]) {
    return messages.length;
  }
  @SubscribeMessage("uuid")
  uuid(@MessageBody(new ParseUUIDPipe({ exceptionFactory: refused })) id: string) {
    return id;
  }
  @SubscribeMessage("color")
  color(@MessageBody(new ParseEnumPipe(Color, { exceptionFactory: refused })) color: Color) {
    return color;
  }
  @SubscribeMessage("number")
  number(@MessageBody(new ParseIntPipe({ exceptionFactory: (problem) => new WsException(problem) })) number: number) {
    return number + 1;
  }
  @SubscribeMessage("limit")
  limit(@MessageBody(new DefaultValuePipe(10)) limit: number) {
    return limit;
  }
  @SubscribeMessage("shout")
  shout(@MessageBody("text", new Shout()) text: string) {
    return text;
  }
  @SubscribeMessage("card")
  card(@MessageBody(LoadCard) title: string) {
    return title;
  }
  @UseInterceptors(wrapping)
  @SubscribeMessage("wrapped")
  wrapped() {
    return 1;
  }
  @UseInterceptors(instead)
  @SubscribeMessage("cached")
  cached() {
    return "never";
  }
  @UseInterceptors(healing)
  @SubscribeMessage("healed")
  healed() {
    throw new Error("ill");
  }
  @UseInterceptors(translating)
  @SubscribeMessage("translated")
  translated() {
    throw new Error("ill");
  }
  @UseInterceptors(wrapping)
  @SubscribeMessage("parts")
  parts() {
    return from([1, 2]);
  }
  @UseGuards(stepping("handler"))
  @UseInterceptors(stepping("handler"))
  @SubscribeMessage("order")
  order(
    @ConnectedSocket() client: Socket,
    @MessageBody({ transform: (client: Socket) => client }) _: unknown,
  ) {
    client.data.steps.push("handler");
    return client.data.steps;
  }
  @UseFilters(new OfTheHandler())
  @SubscribeMessage("near")
  near() {
    throw new Lost("key");
  }
  @SubscribeMessage("far")
  far() {
    throw new Missing("hat");
  }
  @SubscribeMessage("app")
  app() {
    throw new Broken();
  }
  @UseFilters(new Silent())
  @SubscribeMessage("silent")
  silent() {
    throw new Lost("voice");
  }
  @UseFilters(new Everything())
  @SubscribeMessage("everything")
  everything() {
    throw new Error("the secret inside");
  }
  @SubscribeMessage("unknown")
  unknown() {
    throw new Error("the secret inside");
  }
  @SubscribeMessage("refused")
  refused() {
    throw new WsException("You may not.");
  }
  @SubscribeMessage("coded")
  coded() {
    throw new WsException({ code: "teapot", message: "I am a teapot.", retryable: false });
  }
}
