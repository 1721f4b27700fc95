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

# V8 keeps what is young in up to 16 MiB, not 64: config/guide/operating.md, Memory.
ENV NODE_OPTIONS=--max-semi-space-size=16
# The file that `serve`, `check` and `health` take unless they are given another.
ENV SALLYPORT_CONFIG=/etc/sallyport/sallyport.yaml
# With `admin` it asks /livez, without it the first listener.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["node", "dist/main.js", "health"]

# The gateway itself is process 1: SIGTERM reaches it, and it drains (10 s unless `drain` says otherwise).
ENTRYPOINT ["node", "dist/main.js"]
CMD ["serve"]
