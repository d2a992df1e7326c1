/** HTTP/2, which is not used unless asked for (undici's `allowH2`); it takes Node 5 ms to load. */
module.exports = () => {
  throw new Error('HTTP/2 is not part of this build');
};
