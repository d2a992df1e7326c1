/**
 * sha.js when it is used: what it builds on takes 5 ms to load, and a clone hashes nothing with it.
 */
module.exports = function Sha1() {
  return new (require('sha.js/sha1.js'))();
};
