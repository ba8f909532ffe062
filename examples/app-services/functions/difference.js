exports = function(a, b) {
  return context.functions.execute("utils/sum", a, -1 * b);
};
