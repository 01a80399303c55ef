// Listens where it is told, and ends when it is asked to: requests in flight get their answers.
const server = require('node:http').createServer((request, response) => {
  response.end(`Hello from node, pid ${process.pid}\n`)
})
server.listen(process.env.PORT, process.env.HOST)
process.on('SIGTERM', () => {
  server.close(() => process.exit(0))
  server.closeIdleConnections()
})
