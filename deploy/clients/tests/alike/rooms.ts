// The gateway of rooms.py in NestJS.
import {
  ConnectedSocket, MessageBody, type OnGatewayConnection, type OnGatewayDisconnect, type OnGatewayInit, SubscribeMessage,
  WebSocketGateway, WebSocketServer,
} from "@nestjs/websockets";
import type { Namespace, Socket } from "socket.io";
import { Fenced } from "./fenced.js";

@WebSocketGateway({ namespace: "rooms" })
export class Rooms extends Fenced implements OnGatewayInit, OnGatewayConnection, OnGatewayDisconnect {
  @WebSocketServer() server!: Namespace;
  private readonly hooks: [string, string][] = [];

  afterInit(server: Namespace) {
    this.hooks.push(["*", "init"]);
    server.use((socket, next) => next(socket.handshake.auth.name === "nameless" ? new Error("Say who you are.") : undefined));
  }
  handleConnection(client: Socket) {
    const { name, group } = client.handshake.auth;
    if (name === "unwanted") return client.disconnect();
    this.hooks.push([group, `connection of ${name}`]);
    client.emit("welcome", name);
  }
  handleDisconnect(client: Socket) {
    const { name, group } = client.handshake.auth;
    this.hooks.push([group, `disconnection of ${name}`]);
    this.server.emit("gone", name);
  }
  @SubscribeMessage("hooks")
  hooksOf(@MessageBody() wanted: string) {
    return this.hooks.filter(([group]) => group === wanted || group === "*").map(([, hook]) => hook);
  }
  @SubscribeMessage("join")
  async join(@ConnectedSocket() client: Socket, @MessageBody() room: string) {
    await client.join(room);
    return `Joined ${room}.`;
  }
  @SubscribeMessage("ask")
  ask(@ConnectedSocket() client: Socket, @MessageBody() question: string) {
    return client.emitWithAck("question", question);
  }
  @SubscribeMessage("leave")
  async leave(@ConnectedSocket() client: Socket, @MessageBody() room: string) {
    await client.leave(room);
    return `Left ${room}.`;
  }
  @SubscribeMessage("say")
  say(@MessageBody() [room, text]: [string, string]) {
    this.server.to(room).emit("said", text);
    return "Delivered.";
  }
  @SubscribeMessage("tell")
  tell(@ConnectedSocket() client: Socket, @MessageBody() [room, text]: [string, string]) {
    client.to(room).emit("told", text);
    return "Delivered.";
  }
  @SubscribeMessage("everyone")
  everyone(@MessageBody() text: string) {
    this.server.emit("heard", text);
    return "Delivered.";
  }
  @SubscribeMessage("others")
  others(@ConnectedSocket() client: Socket, @MessageBody() text: string) {
    client.broadcast.emit("heard", text);
    return "Delivered.";
  }
  @SubscribeMessage("except")
  except(@MessageBody() [room, but]: [string, string]) {
    this.server.to(room).except(but).emit("said", "not to all");
    return "Delivered.";
  }
  @SubscribeMessage("both")
  both(@MessageBody() rooms: string[]) {
    this.server.to(rooms).emit("said", "once");
    return "Delivered.";
  }
  @SubscribeMessage("self")
  self(@ConnectedSocket() client: Socket) {
    this.server.to(client.id).emit("said", "to you");
    client.emit("said", "at once", 2, { three: [null, true, 4.5] });
    client.emit("bare");
    client.emit("bytes", Buffer.from([1, 2]), { inner: Buffer.from([3]) });
    return "Delivered.";
  }
  @SubscribeMessage("position")
  position(@MessageBody() room: string) {
    this.server.to(room).volatile.emit("position", { x: 1.5, y: -2 });
    return "Delivered.";
  }
  @SubscribeMessage("kick")
  kick(@ConnectedSocket() client: Socket) {
    client.disconnect();
    return "Gone.";
  }
}
