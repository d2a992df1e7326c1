/** Code of commands that this bundle is never started for: 1.5 MB that need not be read. */
module.exports = {};
