// The application of gateways.py in NestJS: what clients receive from both is compared by test_nestjs.py.
import "reflect-metadata";
import { Module } from "@nestjs/common";
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, NestFactory } from "@nestjs/core";
import { Answers } from "./answers.js";
import { Cards, LoadCard, OfTheApp, RoleGuard, stepping } from "./around.js";
import { Chain } from "./chain.js";
import { Rooms } from "./rooms.js";

const around = stepping("app");

@Module({
  providers: [
    Cards, LoadCard, RoleGuard, Answers, Chain, Rooms,
    { provide: APP_GUARD, useValue: around },
    { provide: APP_INTERCEPTOR, useValue: around },
    { provide: APP_FILTER, useClass: OfTheApp },
  ],
})
class Everywhere {}

const app = await NestFactory.create(Everywhere, { logger: false });
await app.listen(Number(process.argv[2]), "127.0.0.1");
