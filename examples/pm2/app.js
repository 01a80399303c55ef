// What both services run; each is told by its environment what it is.
require('node:http').createServer((request, response) => {
  response.end(`Hello from ${process.env.GREETING}, pid ${process.pid}\n`)
}).listen(process.env.PORT, '127.0.0.1')
