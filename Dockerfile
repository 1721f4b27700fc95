# syntax=docker/dockerfile:1
# docker build -t sallyport .
# docker run -p 8443:8443 -v "$PWD/gateway:/etc/sallyport:ro" --stop-timeout 15 sallyport

FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json ./
COPY src src
RUN npm run build

FROM node:24-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev && npm cache clean --force

FROM node:24-slim
ENV NODE_ENV=production
WORKDIR /app
COPY package.json LICENSE ./
COPY config config
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist

# An unprivileged user of the base image, by number so that Kubernetes can see it is not root.
USER 1000:1000

# The configuration says `admin: { port: 9090 }`; another port is told with `-e SALLYPORT_ADMIN_PORT=…`.
ENV SALLYPORT_ADMIN_PORT=9090
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + process.env.SALLYPORT_ADMIN_PORT + '/livez', { signal: AbortSignal.timeout(2000) }).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]

# The gateway itself is process 1: SIGTERM reaches it, and it drains (10 s unless `drain` says otherwise).
ENTRYPOINT ["node", "dist/main.js"]
CMD ["serve", "/etc/sallyport/sallyport.yaml"]
