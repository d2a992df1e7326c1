/**
 * undici as far as the clone process uses it. Its index loads fetch, cookies, mocks and caches as well,
 * and with them Node's own copy of undici: half of the process's start.
 */
const Agent = require('undici/lib/dispatcher/agent.js');
const Dispatcher = require('undici/lib/dispatcher/dispatcher.js');
const request = require('undici/lib/api/api-request.js');

Object.assign(Dispatcher.prototype, { request });

module.exports = {
  Agent,
  buildConnector: require('undici/lib/core/connect.js'),
  errors: require('undici/lib/core/errors.js'),
};
