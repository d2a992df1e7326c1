/** pino's threads for writing logs, which nothing here asks for: 2 ms to load, with Node's loader of modules. */
module.exports = function transport() {
  throw new Error('no transports in this build');
};
