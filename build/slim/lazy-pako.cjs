/** pako when it is used: tables that a clone has no use for, 2 ms. */
module.exports = {
  get Inflate() {
    return require('pako').Inflate;
  },
  inflate: (...given) => require('pako').inflate(...given),
  deflate: (...given) => require('pako').deflate(...given),
};
